"""The lifecycle tests' own activities are found as a tenant's would be."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities._registry import registry
from settings import Settings, Store
from tests.support import write_configuration
from tests.workflows.lifecycle import Lifecycle, lifecycle


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", "tests.workflows.examples")
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Sweeps at once, so that tests need not wait."""
    return write_configuration(tmp_path, store, "[sweep]\nunrung = 0.1\nquiet = 1.0\n")


@pytest.fixture
async def person(settings: Settings, client: Client) -> AsyncGenerator[Lifecycle]:
    """A fresh person, with a worker running."""
    async with lifecycle(settings, client) as person:
        yield person
