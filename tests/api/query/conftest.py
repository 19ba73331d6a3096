"""A store of each test's own, and the listener on it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from settings import Settings, Store
from tests.api.query.asking import Desk, configure, listen
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A migrated, empty database: what is answered depends on everything in it."""
    async with database(servers, TEMPLATE) as store:
        yield store


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Tenants as100 and as200."""
    return configure(tmp_path, store, "rate = 1000\nburst = 1000\nconcurrent = 50")


@pytest.fixture
async def desk(servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Desk]:
    """The listener."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(settings) as desk:
        yield desk
