"""The listener tells the truth, also while the store is away and while the loop is stuck."""

import asyncio
import socket
import time
import urllib.error
import urllib.request

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from dev.processes import free_port
from ledger.engine import Pool
from ledger.figures import Figures, reached, read_figures
from runtime.seeing import listener, standing, watched
from runtime.seeing.listener import Checks, Listener
from runtime.seeing.meters import Meters
from runtime.seeing.pulse import STUCK, Pulse
from settings.metrics import Metrics


class _Seen:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.away = self.slow = self.spools = False
        self.times_reached = self.times_read = 0
        self.checks: Checks = {}

    async def reach(self) -> None:
        self.times_reached += 1
        if self.away:
            await asyncio.sleep(60)
        await reached(self._pool)

    async def read(self) -> Figures:
        self.times_read += 1
        if self.slow:
            await asyncio.sleep(60)
        return await read_figures(self._pool)

    def goes_on(self) -> bool:
        return self.spools

    def register(self, meters: Meters) -> None:
        def broken() -> float:
            raise RuntimeError

        meters.gauge("broken", "Fails to tell.", broken)

    async def run(self) -> None:
        pass


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as wrong:
        return wrong.code, wrong.read().decode()


async def _until(port: int, path: str, part: str) -> str:
    said = ""
    for _ in range(100):
        _, said = await asyncio.to_thread(_get, port, path)
        if part in said:
            return said
        await asyncio.sleep(0.1)
    raise AssertionError(f"{part} is not in: {said}")


async def test_a_scrape_never_waits_for_the_store(pool: Pool) -> None:
    seen, meters = _Seen(pool), Meters()
    metrics = Metrics(worker=free_port(), every=1)
    async with watched(metrics, "worker", "v1", meters, seen) as port:
        said = await _until(port, "/metrics", "hookledger_store_up 1.0")
        assert "\nhookledger_oldest_unsettled_work_seconds " in said  # of whatever other tests left open
        assert 'hookledger_build_info{process="worker",version="v1"} 1.0' in said
        assert "hookledger_broken NaN" in said
        assert (await asyncio.to_thread(_get, port, "/health/ready"))[0] == 200

        seen.away = True
        said = await _until(port, "/metrics", "hookledger_store_up 0.0")
        assert "hookledger_oldest_unsettled" not in said
        began = time.monotonic()
        assert (await asyncio.to_thread(_get, port, "/health/ready"))[0] == 503
        assert time.monotonic() - began < 1
        assert (await asyncio.to_thread(_get, port, "/health/live"))[0] == 200
        seen.spools = True
        assert (await asyncio.to_thread(_get, port, "/health/ready"))[0] == 200
        assert (await asyncio.to_thread(_get, port, "/elsewhere"))[0] == 404


async def test_figures_that_come_late_do_not_make_the_store_away(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _Seen(pool)
    metrics = Metrics(worker=free_port(), every=1)
    async with watched(metrics, "worker", "v1", Meters(), seen) as port:
        await _until(port, "/metrics", "\nhookledger_oldest_unsettled_work_seconds ")
        monkeypatch.setattr(standing, "PATIENCE", 0.8)
        seen.slow = True
        tried, asked = seen.times_read, seen.times_reached
        said = ""
        for _ in range(40):
            await asyncio.sleep(0.15)
            _, said = await asyncio.to_thread(_get, port, "/metrics")
            assert "hookledger_store_up 1.0" in said

        assert "hookledger_oldest_unsettled" not in said, "old figures would be lies"
        assert (await asyncio.to_thread(_get, port, "/health/ready"))[0] == 200
        assert seen.times_reached >= asked + 3, "that is asked as ever"
        assert seen.times_read == tried + 1, "they are put off by fifty times as long as they took"


async def test_a_store_that_is_back_is_asked_for_figures_at_once(pool: Pool) -> None:
    seen = _Seen(pool)
    seen.away = True
    metrics = Metrics(worker=free_port(), every=1)
    async with watched(metrics, "worker", "v1", Meters(), seen) as port:
        await _until(port, "/metrics", "hookledger_store_up 0.0")
        assert not seen.times_read
        seen.away = False
        await _until(port, "/metrics", "\nhookledger_oldest_unsettled_work_seconds ")


async def test_a_store_that_may_not_be_written_to_is_away_and_told_in_words(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _Seen(pool)

    async def reach() -> None:
        raise asyncpg.ReadOnlySQLTransactionError

    monkeypatch.setattr(seen, "reach", reach)
    async with watched(Metrics(worker=free_port(), every=1), "worker", "v1", Meters(), seen) as port:
        await _until(port, "/health/ready", "read-only: a standby")
        assert "hookledger_store_up 0.0" in (await asyncio.to_thread(_get, port, "/metrics"))[1]


async def test_a_taken_port_keeps_nobody_from_working(pool: Pool) -> None:
    metrics = Metrics(worker=free_port(), every=1)
    async with (
        watched(metrics, "worker", "v1", Meters(), _Seen(pool)) as first,
        watched(metrics, "worker", "v1", Meters(), _Seen(pool)) as second,
    ):
        assert (first, second) == (metrics.worker, 0)


async def test_one_of_several_processes_is_told_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLEDGER_METRICS_PORT", "9999")
    assert Metrics(api=1).port("api") == 9999


async def test_a_stuck_loop_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = Pulse()
    beating = asyncio.create_task(pulse.beat())
    await asyncio.sleep(0)
    time.sleep(1)  # noqa: ASYNC251 - this is what is to be noticed
    assert pulse.lag() > 0.3
    assert not pulse.stuck()
    await asyncio.sleep(0.6)
    assert pulse.lag() > 0.3, "it is over, but a scrape must still see it"
    now = time.monotonic()
    monkeypatch.setattr("runtime.seeing.pulse.time.monotonic", lambda: now + STUCK + 1)
    assert "has not moved" in pulse.stuck()
    beating.cancel()


def test_who_asks_and_says_nothing_has_one_of_so_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_AT_ONCE", 2)
    asked = Listener("127.0.0.1", 0, CollectorRegistry(), {}, {})
    try:
        silent = [socket.create_connection(("127.0.0.1", asked.port)) for _ in range(2)]
        time.sleep(0.2)
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            _get(asked.port, "/health/live")
        for line in silent:
            line.close()
        time.sleep(0.2)
        assert _get(asked.port, "/health/live")[0] == 200
    finally:
        asked.close()
