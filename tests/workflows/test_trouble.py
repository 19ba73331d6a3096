"""A target that is dead for many people at once: one incident, few attempts, and each is told once when it is back."""

import asyncio
import base64
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from ledger.engine import Pool
from ledger.incidents import list_incidents
from ledger.plan import Plan
from ledger.receive import Planned, plan_text, receive
from ledger.visit import visit
from runtime.worker import assemble
from settings import Settings, Store
from tests.activities.listeners import Endpoint, http_endpoint
from tests.support import delivery, write_configuration

PEOPLE = int(os.environ.get("HOOKLEDGER_TROUBLE_PEOPLE", "40"))
"""More by hand: forty are as many as the suite has time for."""
RATE = 60.0
IN_FLIGHT = 100
"""Attempts that one worker makes at a time (Temporal's own default): that many may have begun when the fifth fails."""


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def port() -> int:
    """Of the target, where nobody listens yet."""
    return _port()


@pytest.fixture
def settings(store: Store, tmp_path: Path, port: int) -> Settings:
    """A breaker that tries often."""
    secret = base64.b64encode(b"s" * 24).decode()
    return write_configuration(
        tmp_path,
        store,
        f"""
[sweep]
interval = 0.2
unrung = 0.1
quiet = 600.0
[breaker]
probe_every = 1.0
rate = {RATE}
[activities.notify]
url = "http://127.0.0.1:{port}/in"
secret = "whsec_{secret}"
""",
    )


@pytest.fixture(autouse=True)
async def _alone(pool: Pool) -> AsyncGenerator[None]:
    await pool.execute("DELETE FROM work WHERE activity = 'notify'")
    yield
    await pool.execute("DELETE FROM work WHERE activity = 'notify'")
    await pool.execute("DELETE FROM incidents")


async def _everybody(pool: Pool) -> None:
    work = [Planned("notify", "notify", plan_text(Plan()), timedelta(0), waits=False)]
    people = [delivery(f"u{n}-{uuid.uuid4().hex[:8]}", "postProvision", work=work) for n in range(PEOPLE)]
    await asyncio.gather(*(receive(pool, person) for person in people))


async def _number(pool: Pool, what: str) -> int:
    return await pool.fetchval(f"SELECT {what} FROM work WHERE activity = 'notify'") or 0


async def _until(pool: Pool, what: str, least: int, within: float) -> None:
    end = time.monotonic() + within
    while await _number(pool, what) < least:
        assert time.monotonic() < end, f"{what} stayed below {least}"
        await asyncio.sleep(0.1)


def _fastest(endpoint: Endpoint) -> int:
    """The most calls in any two seconds."""
    times = sorted(call.at for call in endpoint.calls)
    return max(sum(begin <= at < begin + 2 for at in times) for begin in times)


async def test_a_dead_target_is_one_incident_and_everybody_is_told_once(
    settings: Settings, client: Client, pool: Pool, port: int
) -> None:
    await _everybody(pool)
    async with assemble(settings, client) as parts, parts.worker:
        sweeping = asyncio.create_task(parts.sweep.run())
        try:
            await _until(pool, "count(*) FILTER (WHERE attempt > 0)", 5, 30)
            await asyncio.sleep(4)
            dead = await _number(pool, "sum(attempt)")
            async with visit(settings.store) as connection:
                [incident] = await list_incidents(connection, ["as100"], closed=True)
            assert (incident.activity, incident.cause) == ("notify", "Unavailable:ConnectError")
            assert incident.held == PEOPLE
            async with http_endpoint(port) as endpoint:
                await _until(pool, "count(settled_at)", PEOPLE, 60 + PEOPLE / 2)
        finally:
            sweeping.cancel()
    assert dead <= min(PEOPLE, 5 + IN_FLIGHT) + 8, (
        "the attempts in flight and the probes, not people times retries"
    )
    told = Counter(call.headers["webhook-id"] for call in endpoint.calls)
    assert (len(told), set(told.values())) == (PEOPLE, {1})
    assert _fastest(endpoint) <= 2 * RATE * 1.25
    async with visit(settings.store) as connection:
        [incident] = await list_incidents(connection, ["as100"], closed=True)
    assert incident.closed_at is not None
    print(f"{dead} attempts while it was dead, {_fastest(endpoint)} in the fastest two seconds")
