"""Claiming, settling and sweeping where much is open: by key, whatever the planner has heard of."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.engine import Pool, connect, connect_alone
from ledger.plan import Plan, Ref
from ledger.receive import Planned, plan_text, receive
from ledger.sweep import find_unrung
from ledger.work import Ending, claim, settle, take
from settings import Store
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers, delivery

OPEN = 30_000
_BACKLOG = f"""
INSERT INTO work (delivery, activity, tenant, subject, seq, hook, application, lane, plan, state, due)
SELECT uuidv7(), activity, tenant, gen_random_uuid(), 1, hook, application, lane, plan, state, due
  FROM work, generate_series(1, {OPEN})
 WHERE delivery = $1
"""
_STUCK = """
INSERT INTO work (delivery, activity, tenant, subject, seq, hook, application, lane, plan, state, due)
SELECT uuidv7(), activity, tenant, subject, seq + n, hook, application, lane, plan, state, due
  FROM work, generate_series(1, 600) AS n
 WHERE delivery = $1
"""
_MORE = """
INSERT INTO work (delivery, activity, tenant, subject, seq, hook, application, lane, plan, state, due)
SELECT delivery, $2, tenant, subject, seq, hook, application, split_part($2, '-', 1),
       plan || jsonb_build_object('after', $3::text), state, due
  FROM work WHERE delivery = $1::text::uuid AND activity = 'badge'
"""
_PEOPLE = """
INSERT INTO subjects (id, tenant, workflow_id, seq, created_at)
SELECT subject, tenant, 'backlog:' || subject, 1, now() FROM work
    ON CONFLICT DO NOTHING
"""
_READ = text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'work'")


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A store of each test's own, so that as little is there at first as the planner believes."""
    async with database(servers, TEMPLATE) as store:
        yield store


async def _one(pool: Pool) -> Ref:
    badge = Planned("badge", "", plan_text(Plan()), timedelta(0), waits=False)
    planned = delivery("asha", work=[badge])
    await receive(pool, planned)
    return Ref(str(planned.id), "badge")


async def _much_is_open(store: Store, one: Ref) -> None:
    patient = await connect_alone(store, "test", statement_timeout=60)
    await patient.execute(_BACKLOG, one.delivery)
    await patient.execute(_PEOPLE)
    await patient.close()


async def _rows_read(connection: AsyncConnection) -> int:
    return int((await connection.execute(_READ)).scalar_one())


async def _claim_and_settle(connection: AsyncConnection, one: Ref) -> None:
    got = await claim(connection, [one], lease=30)
    assert isinstance(got, tuple)
    claimed, _ = got
    assert [c.ref for c in claimed] == [one]
    ended = await settle(connection, [Ending(one, claimed[0].attempt, "done")], "test")
    assert list(ended) == [one]


async def test_one_of_many_open_is_claimed_and_settled_without_reading_the_others(
    store: Store, pool: Pool, engine: AsyncEngine
) -> None:
    one = await _one(pool)
    await _much_is_open(store, one)

    async with engine.begin() as connection:
        await _claim_and_settle(connection, one)
        assert 0 < await _rows_read(connection) < OPEN / 100


async def test_a_plan_that_was_made_when_little_was_there_is_not_kept(
    store: Store, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.engine._PLANS_LAST", 0.0)
    engine = connect(store.url, name="test", pool_size=1, statement_timeout=5)
    for _ in range(8):  # the same plan for all values, from the sixth time on
        async with engine.begin() as connection:
            await _claim_and_settle(connection, await _one(pool))
    one = await _one(pool)
    await _much_is_open(store, one)

    async with engine.begin() as connection:
        await _claim_and_settle(connection, one)
        assert 0 < await _rows_read(connection) < OPEN / 100
    await engine.dispose()


async def test_a_sweep_reads_what_it_rings_for_and_not_all_that_waits(
    store: Store, pool: Pool, engine: AsyncEngine
) -> None:
    await _much_is_open(store, await _one(pool))

    async with engine.begin() as connection:
        found = await find_unrung(connection, unrung=0, quiet=3600, most=10)
        assert len(found) == 10
        assert 0 < await _rows_read(connection) < OPEN / 100


async def test_a_lane_that_fails_for_long_does_not_keep_the_others_waiting(
    store: Store, pool: Pool, engine: AsyncEngine
) -> None:
    """But for those of the last delivery that wait for its own piece of that lane."""
    one = await _one(pool)
    owner = await connect_alone(store, "test", statement_timeout=60)
    await owner.execute(_STUCK, one.delivery)
    last = await owner.fetchrow(
        "SELECT delivery::text, subject::text, seq FROM work ORDER BY seq DESC LIMIT 1"
    )
    for activity, after in (("mail", None), ("report", "badge"), ("report-later", None)):
        await owner.execute(_MORE, last["delivery"], activity, after)
    await owner.close()
    async with engine.connect() as connection:
        taken = await take(connection, last["subject"])
    assert [item.seq for item in taken] == [*range(1, 400), last["seq"]]
    assert [item.lane for item in taken[-2:]] == ["", "mail"]
