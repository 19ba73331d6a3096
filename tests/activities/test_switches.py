"""Switches at the real store: off holds and lets go in order at a rate, drop and shadow settle without running."""

import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger import work
from ledger.engine import Pool
from ledger.operate import Deed, Order
from ledger.sweep import find_unrung
from ledger.switches import EVERY, Mode, NoSuchSwitch, Place, end_switch, list_switches, set_switch
from ledger.trouble import figures
from tests.activities.desk import Desk, Piece, writer
from tests.support import rows

TENANTS = ("as100", "other")


def by_hand(deed: Deed, tenant: str) -> Order:
    """The order of a deed in a tenant."""
    return Order(deed, "asha.ops", "the target is down", uuid.uuid4(), "test", tenant=tenant)


@pytest.fixture(autouse=True)
async def _no_switch(pool: Pool) -> AsyncGenerator[None]:
    yield
    await pool.execute("DELETE FROM switches")


async def switch(engine: AsyncEngine, mode: Mode, place: Place, life: timedelta | None = None) -> None:
    """Sets one."""
    async with engine.begin() as connection:
        await set_switch(connection, place, mode, life, TENANTS, by_hand)


async def taken(engine: AsyncEngine, piece: Piece) -> list[work.Ref]:
    """What a run of the person would take."""
    async with engine.begin() as connection:
        return [item.ref for item in await work.take(connection, str(piece.subject))]


async def is_rung(engine: AsyncEngine, piece: Piece) -> bool:
    """Whether a sweep would ring the person."""
    async with engine.begin() as connection:
        found = await find_unrung(connection, unrung=0, quiet=0, most=100_000)
    return piece.subject in {person.subject for person in found}


WRITER = Place("as100", writer.name)


async def test_off_holds_what_a_run_has_in_hand_and_burns_nothing(desk: Desk, engine: AsyncEngine) -> None:
    [piece] = await desk.store(writer)
    await desk.change(piece, "give_up_at = now() + interval '1 minute'")
    await switch(engine, "off", WRITER)

    [settlement] = await desk.attempt(writer, piece)

    assert (settlement.outcome, settlement.entry, settlement.failed) == ("switched off", None, False)
    row = await desk.work(piece)
    assert (row["state"], row["attempt"], row["give_up_at"], row["settled_at"]) == ("planned", 0, None, None)
    assert await desk.effects(piece.ref.delivery) == 0
    assert await desk.outcomes(piece) == []


async def test_off_is_neither_taken_nor_rung_and_on_lets_it_go(desk: Desk, engine: AsyncEngine) -> None:
    [first] = await desk.store(writer)
    [second] = await desk.store(writer)
    assert await is_rung(engine, first)
    await switch(engine, "off", WRITER)
    assert await taken(engine, first) == []
    assert not await is_rung(engine, first)

    async with engine.begin() as connection:
        assert await end_switch(connection, WRITER, 1000, TENANTS, by_hand) >= 2

    await desk.change(first, "due = now()")
    await desk.change(second, "due = now()")
    assert await taken(engine, first) == [first.ref, second.ref]
    assert [s.outcome for s in await desk.attempt(writer, first)] == ["wrote"]


async def test_what_was_held_is_spread_over_lanes_and_never_within_one(
    desk: Desk, pool: Pool, engine: AsyncEngine
) -> None:
    pieces = [(await desk.store(writer))[0]]
    pieces += await desk.store(writer)
    for n in range(4):
        desk.login = f"u{n}{uuid.uuid4().hex[:8]}"
        pieces += await desk.store(writer)
    await switch(engine, "off", WRITER)

    async with engine.begin() as connection:
        await end_switch(connection, WRITER, 2, TENANTS, by_hand)

    dues = await rows(
        pool,
        "SELECT subject, count(DISTINCT due) AS times, min(due) AS due FROM work WHERE subject = ANY ($1) "
        "GROUP BY subject ORDER BY due",
        [p.subject for p in pieces],
    )
    assert [d["times"] for d in dues] == [1, 1, 1, 1, 1]
    span = await pool.fetchval(
        "SELECT extract(epoch FROM max(due) - min(due))::float8 FROM work WHERE subject = ANY ($1)",
        [p.subject for p in pieces],
    )
    assert span >= 1.99, "five lanes at two a second take two seconds"


async def test_what_comes_while_held_work_is_let_go_stays_behind_it(desk: Desk, engine: AsyncEngine) -> None:
    [first] = await desk.store(writer)
    await desk.change(first, "due = now() + interval '1 hour', let_go = now() + interval '1 hour'")
    [second] = await desk.store(writer)
    assert await taken(engine, second) == []
    assert not await is_rung(engine, second)
    await desk.change(first, "due = now(), let_go = now()")
    assert await taken(engine, second) == [first.ref, second.ref]


@pytest.mark.parametrize(("mode", "outcome"), [("shadow", "shadow"), ("drop", "skipped")])
async def test_settled_without_running(desk: Desk, engine: AsyncEngine, mode: Mode, outcome: str) -> None:
    [piece] = await desk.store(writer)
    await switch(engine, mode, Place(EVERY, writer.name))
    assert [s.outcome for s in await desk.attempt(writer, piece)] == [outcome]
    assert await desk.outcomes(piece) == [outcome]
    assert await desk.effects(piece.ref.delivery) == 0


async def test_the_most_specific_counts_and_others_go_on(desk: Desk, engine: AsyncEngine) -> None:
    [piece] = await desk.store(writer)
    await switch(engine, "off", Place(EVERY, EVERY))
    assert await taken(engine, piece) == []
    await switch(engine, "shadow", WRITER)
    assert await taken(engine, piece) == [piece.ref]
    assert [s.outcome for s in await desk.attempt(writer, piece)] == ["shadow"]


async def test_another_tenants_switch_or_an_expired_one_holds_nothing(
    desk: Desk, pool: Pool, engine: AsyncEngine
) -> None:
    [piece] = await desk.store(writer)
    await switch(engine, "off", Place("other", writer.name))
    assert await taken(engine, piece) == [piece.ref]
    await switch(engine, "off", WRITER, timedelta(hours=1))
    assert await taken(engine, piece) == []
    await pool.execute("UPDATE switches SET until = now() - interval '1 second' WHERE until IS NOT NULL")
    assert await taken(engine, piece) == [piece.ref]
    async with engine.begin() as connection:
        assert [(s.tenant, s.mode) for s in await list_switches(connection)] == [("other", "off")]


async def test_switching_on_what_is_not_off_is_a_mistake(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        with pytest.raises(NoSuchSwitch):
            await end_switch(connection, WRITER, 20, TENANTS, by_hand)


async def test_figures_count_switches_and_what_they_hold(desk: Desk, pool: Pool, engine: AsyncEngine) -> None:
    await desk.store(writer)
    before = await figures(pool)
    await switch(engine, "off", WRITER)
    await switch(engine, "shadow", Place("other", EVERY))
    after = await figures(pool)
    assert (before.switches, before.held) == ({}, {})
    assert after.switches == {"off": 1, "shadow": 1}
    assert set(after.held) == {("as100", writer.name)}
    assert after.held["as100", writer.name] >= 1
