"""The sweep on the real store and a real Temporal server on which no worker runs: whom it rings, and whom not."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from ledger.engine import Pool, connect_store
from ledger.plan import Plan
from ledger.receive import Planned, Receipt, plan_text, receive
from ledger.sweep import SWEEPERS_LOCK, find_unrung, note_rung_by_pool, only_sweeper
from runtime.bell import Ring, ring
from runtime.sweep import Sweep
from runtime.vault import open_folder
from settings import Settings, Store
from tests.support import delivery, write_configuration


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Short times, so that tests need not wait, but longer than a slow machine takes for a test."""
    return write_configuration(tmp_path, store, "[sweep]\nunrung = 15.0\nquiet = 60.0\ninterval = 0.1\n")


@dataclass
class Person:
    """Somebody with unsettled work."""

    client: Client
    settings: Settings
    pool: Pool
    sweep: Sweep
    receipt: Receipt

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The workflow."""
        return self.client.get_workflow_handle(self.receipt.workflow_id or "")

    async def rings(self) -> int:
        """Starts and signals of the last run; 0 if there was none."""
        try:
            history = await self.handle.fetch_history()
        except RPCError as wrong:
            if wrong.status is not RPCStatusCode.NOT_FOUND:
                raise
            return 0
        return sum(
            e.HasField("workflow_execution_started_event_attributes")
            or e.HasField("workflow_execution_signaled_event_attributes")
            for e in history.events
        )

    async def ring(self) -> None:
        """What the bell does."""
        subject, workflow = self.receipt.subject, self.receipt.workflow_id
        assert subject is not None
        assert workflow is not None
        await ring(
            self.client, self.settings.temporal, Ring(subject, workflow, "as100", "x", 1, "postProvision")
        )
        await self.pool.execute("INSERT INTO rings VALUES ($1, clock_timestamp())", subject)

    async def later(self, seconds: float) -> None:
        """Lets time pass for this person's rows."""
        back = timedelta(seconds=seconds)
        await self.pool.execute(
            "UPDATE work SET due = due - $2::interval, claimed_at = claimed_at - $2::interval "
            "WHERE subject = $1",
            self.receipt.subject,
            back,
        )
        await self.pool.execute(
            "UPDATE rings SET rung_at = rung_at - $2::interval WHERE subject = $1", self.receipt.subject, back
        )

    async def set(self, assignments: str) -> None:
        """Changes the person's work."""
        await self.pool.execute(f"UPDATE work SET {assignments} WHERE subject = $1", self.receipt.subject)


@pytest.fixture
async def person(
    settings: Settings, client: Client, pool: Pool, engine: AsyncEngine
) -> AsyncGenerator[Person]:
    """A person with one piece of planned work that nobody rang for."""
    await pool.execute("UPDATE work SET state = 'settled', settled_at = now() WHERE settled_at IS NULL")
    work = [Planned("badge", "badge", plan_text(Plan()), timedelta(0), waits=False)]
    receipt = await receive(pool, delivery(f"u{uuid.uuid4().hex[:10]}", work=work))
    yield Person(client, settings, pool, Sweep(engine, client, settings), receipt)
    await pool.execute("UPDATE work SET state = 'settled', settled_at = now() WHERE settled_at IS NULL")


async def test_fresh_work_is_left_to_the_bell(person: Person) -> None:
    assert await person.sweep.round() == 0
    assert await person.rings() == 0


async def test_unrung_work_is_rung_once(person: Person) -> None:
    await person.later(20)
    assert await person.sweep.round() == 1
    assert await person.rings() == 1
    assert await person.sweep.round() == 0
    assert await person.rings() == 1


async def test_rung_work_is_left_alone_while_it_is_young(person: Person) -> None:
    await person.ring()
    await person.later(30)
    assert await person.sweep.round() == 0


async def test_quiet_work_whose_run_lives_is_only_noted(person: Person) -> None:
    await person.ring()
    await person.set("attempt = 1, claimed_at = now()")
    await person.later(70)
    assert await person.sweep.round() == 1
    assert await person.rings() == 1, "a signal every minute would fill its history"
    assert await person.sweep.round() == 0, "it was noted"


async def test_quiet_work_whose_run_is_gone_is_rung(person: Person) -> None:
    await person.ring()
    await person.set("attempt = 1, claimed_at = now(), state = 'running'")
    await person.later(70)
    old = (await person.handle.describe()).run_id
    await person.handle.terminate("by hand")
    assert await person.sweep.round() == 1
    assert (await person.handle.describe()).run_id != old


async def test_quiet_work_that_temporal_has_never_heard_of_is_rung(person: Person) -> None:
    """After the loss of the cluster."""
    await person.set("attempt = 1, claimed_at = now()")
    await person.pool.execute("INSERT INTO rings VALUES ($1, clock_timestamp())", person.receipt.subject)
    await person.later(70)
    assert await person.sweep.round() == 1
    assert await person.rings() == 1


async def test_a_newer_piece_is_rung_though_an_older_one_was(person: Person) -> None:
    await person.ring()
    await person.set("attempt = 1, claimed_at = now()")
    await person.later(10)
    login = await person.pool.fetchval("SELECT value FROM handles WHERE subject = $1", person.receipt.subject)
    work = [Planned("badge", "badge", plan_text(Plan()), timedelta(0), waits=False)]
    await receive(person.pool, delivery(login, work=work))
    await person.later(20)
    assert await person.sweep.round() == 1
    assert await person.rings() == 2


@pytest.mark.parametrize(
    "assignments",
    [
        "state = 'held'",
        "state = 'waiting', due = now() + interval '1 day'",
        "due = now() + interval '1 hour'",
        "state = 'settled', outcome = 'done', settled_at = now()",
    ],
)
async def test_what_is_not_to_be_run_is_not_rung(person: Person, assignments: str) -> None:
    await person.later(70)
    await person.set(assignments)
    assert await person.sweep.round() == 0
    assert await person.rings() == 0


async def test_who_is_paused_is_not_rung(person: Person) -> None:
    await person.later(70)
    await person.pool.execute("UPDATE subjects SET paused = true WHERE id = $1", person.receipt.subject)
    assert await person.sweep.round() == 0
    await person.pool.execute("UPDATE subjects SET paused = false WHERE id = $1", person.receipt.subject)
    assert await person.sweep.round() == 1


async def test_a_ring_that_fails_is_tried_again(person: Person, engine: AsyncEngine) -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    await person.later(20)
    assert await Sweep(engine, away, person.settings).round() == 0
    assert await person.sweep.round() == 1


async def test_only_one_sweeps(person: Person, engine: AsyncEngine) -> None:
    await person.later(20)
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SWEEPERS_LOCK})
        assert await person.sweep.round() == 0
    assert await person.sweep.round() == 1


async def test_it_outlives_a_lost_store(person: Person, client: Client, store: Store) -> None:
    gone = connect_store(Store(url="postgresql://x:x@127.0.0.1:1/x"), "test")
    sweeping = asyncio.create_task(Sweep(gone, client, person.settings).run())
    await asyncio.sleep(0.5)
    assert not sweeping.done()
    sweeping.cancel()
    await gone.dispose()


async def test_keys_whose_time_is_over_are_destroyed(
    person: Person, client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    vault = type(person.settings.vault)(folder=tmp_path / "vault")
    settings = person.settings.model_copy(
        update={"vault": vault, "sweep": person.settings.sweep.model_copy(update={"interval": 0.05})}
    )
    keys, now = open_folder(settings), int(time.time()) // 3600
    assert keys is not None
    for hour in (now - 50, now - 48, now):
        keys.take(hour)
    sweeping = asyncio.create_task(Sweep(engine, client, settings).run())
    try:
        async with asyncio.timeout(10):
            while len(keys.epochs()) > 2:  # noqa: ASYNC110 - files tell nobody that they go
                await asyncio.sleep(0.05)
    finally:
        sweeping.cancel()
    assert [epoch.hour for epoch in keys.epochs()] == [now - 48, now]
    assert [(d.why, d.by) for d in keys.destroyed()] == [("expired", "worker")]


async def test_what_has_expired_is_emptied(person: Person) -> None:
    number = uuid.uuid4()
    for n, age in ((number, "-1 s"), (uuid.uuid4(), "1 hour")):
        await person.pool.execute(
            f"INSERT INTO vault VALUES ($1, 'x', clock_timestamp() + interval '{age}')", n
        )
    await person.sweep.round()
    assert await person.pool.fetchval("SELECT count(*) FROM vault WHERE delivery = $1", number) == 0
    assert await person.pool.fetchval("SELECT count(*) FROM vault") >= 1


async def test_who_was_rung_twice_in_a_second_is_noted_once(person: Person) -> None:
    assert person.receipt.subject is not None
    await note_rung_by_pool(person.pool, [person.receipt.subject] * 2)
    await note_rung_by_pool(person.pool, [person.receipt.subject] * 2)
    rung = await person.pool.fetchval("SELECT count(*) FROM rings WHERE subject = $1", person.receipt.subject)
    assert rung == 1


async def test_whom_an_incident_tries_is_rung_before_all_who_wait_longer(
    person: Person, engine: AsyncEngine
) -> None:
    """Behind ten thousand, nobody would be tried while they wait, and they wait for the one who is."""
    work = [Planned("badge", "badge", plan_text(Plan()), timedelta(0), waits=False)]
    async with engine.connect() as connection:
        waiting = await find_unrung(connection, unrung=0.0, quiet=0.0, most=10_000)
        last = await receive(person.pool, delivery(f"probe{uuid.uuid4().hex[:8]}", work=work))
        await connection.execute(
            text("INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at, probe) VALUES"
                 " (gen_random_uuid(), 'as100', 'another', 'a test', now(), now(), now(), :probe)"),
            {"probe": last.subject},
        )  # fmt: skip
        [first] = await find_unrung(connection, unrung=0.0, quiet=0.0, most=1)
        await connection.rollback()
    assert waiting
    assert first.subject == last.subject


async def test_a_sweep_has_its_own_time_for_a_statement(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        before = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
        await connection.rollback()
        assert await only_sweeper(connection)
        during = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
        await connection.rollback()
        after = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
    assert (during, after) == ("30s", before) != ("30s", "30s")
