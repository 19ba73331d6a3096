"""A worker's start: it waits for Temporal, and for our search attributes, saying so once."""

import asyncio
import logging
import uuid

import pytest
from temporalio.bridge.worker import Worker as Bridge
from temporalio.client import Client

from ledger.engine import Pool
from ledger.migrate import migrate_to_head
from runtime import worker
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.sweep import Sweep
from runtime.version import code_version
from settings import Settings
from tests.commands.databases import database
from tests.support import Servers


async def test_registered_attributes_let_it_start(client: Client) -> None:
    connected = await worker.connect_patiently(asyncio.Event())
    assert connected is not None
    assert await connected.count_workflows("Login IS NULL") is not None


async def test_an_unregistered_attribute_is_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "SEARCH_ATTRIBUTES", SEARCH_ATTRIBUTES | {"NobodyRegisteredThis": "Keyword"})
    connecting = asyncio.create_task(worker.connect_patiently(stop := asyncio.Event()))
    await asyncio.sleep(0.8)
    assert not connecting.done()
    [line] = [r.getMessage() for r in caplog.records if r.name == "runtime.worker"]
    assert "search attributes" in line
    assert "NobodyRegisteredThis" in line
    monkeypatch.setattr(worker, "SEARCH_ATTRIBUTES", SEARCH_ATTRIBUTES)
    assert await asyncio.wait_for(connecting, 5) is not None
    assert not stop.is_set()


async def test_a_server_out_of_reach_is_waited_for_until_told_to_stop(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    stop = asyncio.Event()
    with caplog.at_level(logging.WARNING):
        connecting = asyncio.create_task(worker.connect_patiently(stop))
        await asyncio.sleep(0.5)
    assert not connecting.done()
    stop.set()
    assert await asyncio.wait_for(connecting, 15) is None
    assert "check TEMPORAL_ADDRESS" in caplog.text


async def test_a_store_that_is_not_migrated_yet_is_waited_for(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A unit of systemd starts it after the first try of the migrations, which may have failed."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    stop = asyncio.Event()
    monkeypatch.setattr(worker, "stop_event", lambda: stop)
    async with database(servers, "template0") as empty:
        running = asyncio.create_task(worker.run_worker(settings.model_copy(update={"store": empty})))
        try:
            await asyncio.sleep(0.5)
            assert not running.done()
            assert "waiting for the store: ProgrammingError" in caplog.text
            await asyncio.to_thread(migrate_to_head, empty)
            for _ in range(200):
                if "Temporal is out of reach" in caplog.text:
                    break
                await asyncio.sleep(0.05)
            assert "Temporal is out of reach" in caplog.text
        finally:
            stop.set()
        assert await asyncio.wait_for(running, 20) == 0


_AWAY = "Worker validation failed: Namespace default was not found or otherwise could not be described: transport error"


async def _run(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch, *failures: Exception
) -> int:
    """A worker that fails so before it is well, and is told to stop then."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    stop, real, coming = asyncio.Event(), Bridge.validate, list(failures)

    async def validate(self: Bridge) -> None:
        if coming:
            raise coming.pop(0)
        await real(self)
        asyncio.get_running_loop().call_later(0.5, stop.set)

    monkeypatch.setattr(Bridge, "validate", validate)
    monkeypatch.setattr(worker, "stop_event", lambda: stop)
    queue = settings.temporal.model_copy(update={"task_queue": f"start-{uuid.uuid4().hex}"})
    async with asyncio.timeout(60):
        return await worker.run_worker(settings.model_copy(update={"temporal": queue}))


async def test_temporal_that_goes_away_between_connecting_and_starting_is_waited_for(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        code = await _run(settings, servers, monkeypatch, RuntimeError(_AWAY), RuntimeError(_AWAY))
    assert code == 0
    assert caplog.text.count("Temporal went away while the worker started") == 2
    assert "worker stopped" in caplog.text


async def test_another_failure_of_the_library_ends_it(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="another"):
        await _run(settings, servers, monkeypatch, RuntimeError("another"))


async def test_a_release_is_noted_before_temporal_is_there(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next release, started when Temporal is back, could be taken for the older one."""
    version = f"early-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("HOOKLEDGER_VERSION", version)
    code_version.cache_clear()
    stop = asyncio.Event()
    monkeypatch.setattr(worker, "stop_event", lambda: stop)
    running = asyncio.create_task(worker.run_worker(settings))
    noted = 0
    try:
        for _ in range(200):
            if noted := await pool.fetchval("SELECT count(*) FROM releases WHERE version = $1", version):
                break
            await asyncio.sleep(0.05)
        assert noted == 1
    finally:
        stop.set()
        code_version.cache_clear()
    assert await asyncio.wait_for(running, 20) == 0


async def test_a_worker_that_waits_for_the_store_stops_when_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    stop = asyncio.Event()
    monkeypatch.setattr(worker, "stop_event", lambda: stop)
    away = settings.model_copy(update={"store": settings.store.model_copy(update={"url": url})})
    running = asyncio.create_task(worker.run_worker(away))
    await asyncio.sleep(0.5)
    assert not running.done()
    stop.set()
    assert await asyncio.wait_for(running, 20) == 0


async def test_a_fault_beside_its_work_is_said_and_begins_anew(
    settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = list[int]()

    async def run(_: Sweep) -> None:
        rounds.append(1)
        raise LookupError("somebody's name")

    monkeypatch.setattr(Sweep, "run", run)
    monkeypatch.setattr("runtime.beside.AGAIN", 0.05)
    assert await _run(settings, servers, monkeypatch) == 0
    assert len(rounds) > 1
    assert "sweep: fault LookupError" in caplog.text
    assert "somebody" not in caplog.text
