"""The migrations' job ends where the store says nothing: at a machine's start the api waits for its first try."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import event

from chaos.relay import Relay
from ledger import migrate
from ledger.engine import Engine
from settings import Store
from tests.support import Servers

_FOR_EVER = 600.0


@pytest.fixture
async def relay(servers: Servers) -> AsyncGenerator[Relay]:
    relay = Relay([servers.port])
    async with relay.plugged():
        yield relay


@pytest.fixture
def far(store: Store, servers: Servers, relay: Relay) -> Store:
    """The store, asked through the relay."""
    assert store.owner_url is not None
    return Store(url=store.url, owner_url=store.owner_url.replace(f":{servers.port}/", f":{relay.port}/"))


async def test_a_store_that_falls_silent_is_given_up(
    far: Store, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has let the job in: until then the driver's own limit holds."""
    connect = migrate.connect

    def connect_once(*args: Any, **more: Any) -> Engine:
        engine = connect(*args, **more)
        event.listen(engine.sync_engine, "checkout", lambda *_: setattr(relay, "delay", _FOR_EVER))
        return engine

    monkeypatch.setattr(migrate, "connect", connect_once)
    monkeypatch.setattr(migrate, "_PATIENCE", 1.0)
    began = time.monotonic()
    with pytest.raises(migrate.MigrationError, match="TimeoutError"):
        await asyncio.wait_for(asyncio.to_thread(migrate.migrate_to_head, far), 20)
    assert time.monotonic() - began < 5


async def test_a_store_that_is_there_is_migrated_through_it(far: Store) -> None:
    assert await asyncio.to_thread(migrate.migrate_to_head, far) is False
