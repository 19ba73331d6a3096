"""Claiming, settling and sweeping where much is open: by key, whatever the planner has heard of."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.engine import Pool, connect_alone
from ledger.plan import Plan, Ref
from ledger.receive import Delivery, Planned, plan_text, receive
from ledger.sweep import find_unrung
from ledger.work import Ending, claim, settle
from settings import Store
from tests.support import delivery

OPEN = 30_000
_BACKLOG = f"""
INSERT INTO work (delivery, activity, tenant, subject, seq, hook, application, lane, plan, state, due)
SELECT uuidv7(), 'backlog', tenant, gen_random_uuid(), 1, hook, application, lane, plan, state, due
  FROM work, generate_series(1, {OPEN})
 WHERE delivery = $1
"""
_PEOPLE = """
INSERT INTO subjects (id, tenant, workflow_id, seq, created_at)
SELECT subject, tenant, 'backlog:' || subject, 1, now() FROM work WHERE activity = 'backlog' AND settled_at IS NULL
"""
_CLEARED = "UPDATE work SET state = 'settled', settled_at = now() WHERE activity = 'backlog'"
_READ = text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'work'")


async def _rows_read(connection: AsyncConnection) -> int:
    return int((await connection.execute(_READ)).scalar_one())


@pytest.fixture
async def here(store: Store, pool: Pool) -> AsyncGenerator[Delivery]:
    """One person's delivery with open work, beside much that is open as well; the store is shared with other tests."""
    await pool.execute("ANALYZE work")  # before the backlog: that is what the planner goes by
    badge = Planned("badge", "", plan_text(Plan()), timedelta(0), waits=False)
    here = delivery("asha", work=[badge])
    await receive(pool, here)
    patient = await connect_alone(store, "test", statement_timeout=60)
    try:
        await patient.execute(_BACKLOG, here.id)
        await patient.execute(_PEOPLE)
        yield here
    finally:
        await patient.execute(_CLEARED)
        await patient.close()


async def test_one_of_many_open_is_claimed_and_settled_without_reading_the_others(
    here: Delivery, engine: AsyncEngine
) -> None:
    ref = Ref(str(here.id), "badge")
    async with engine.begin() as connection:
        claimed = await claim(connection, [ref], lease=30)
        assert isinstance(claimed, tuple)
        assert [one.ref for one in claimed[0]] == [ref]
        assert 0 < await _rows_read(connection) < OPEN / 100
    async with engine.begin() as connection:
        ended = await settle(connection, [Ending(ref, claimed[0][0].attempt, "done")], "test")
        assert list(ended) == [ref]
        assert 0 < await _rows_read(connection) < OPEN / 100


async def test_a_sweep_reads_what_it_rings_for_and_not_all_that_waits(
    here: Delivery, engine: AsyncEngine
) -> None:
    del here
    async with engine.begin() as connection:
        found = await find_unrung(connection, unrung=0, quiet=3600, most=10)
        assert len(found) == 10
        assert 0 < await _rows_read(connection) < OPEN / 100
