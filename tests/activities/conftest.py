"""A desk and a watched tenant at the real store; the tests' own activities are found as a tenant's would be."""

from collections.abc import AsyncGenerator, Generator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities._registry import registry
from ledger.engine import Pool
from settings import Settings, Store
from tests.activities.desk import Desk, desk_at
from tests.activities.watching import House


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", "tests.activities.examples")
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
async def desk(store: Store, pool: Pool, engine: AsyncEngine) -> AsyncGenerator[Desk]:
    """A desk for a fresh person."""
    async with desk_at(store, pool, engine, {"paper": {"setting": "blue"}}) as desk:
        yield desk


@pytest.fixture
def house(pool: Pool, engine: AsyncEngine, settings: Settings) -> House:
    """A tenant whose windows are over at once."""
    return House(pool, engine, settings.tenants["as100"])
