"""Rounds of the watch on the real store: marks, what commits late, what is cut off, and who else is at work."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities._watch import Watcher
from hooks.chains import expectations
from ledger.engine import StoreErrors, connect
from ledger.receive import Delivery, receive
from ledger.watch import WATCHERS_LOCK, judge
from settings import Store, Windows
from tests.activities.watching import SHORT, House, waiting, windows
from tests.support import rows


async def test_a_delivery_that_commits_late_is_not_passed_by(house: House, engine: AsyncEngine) -> None:
    """Its id and its entry are older than what was committed, and judged, before it."""
    call = house.says("asha", "preCreateUser")
    async with engine.connect() as late:
        await late.execute(text("SELECT 1"))
        began = (await late.execute(text("SELECT now()"))).scalar_one()
        await _receive_on(late, call)
        await house.send("bina", "preCreateUser")
        await house.round()
        assert await house.gaps() == [], "no mark passes the start of a transaction that is open"
        beyond = await house.pool.fetchval(
            "SELECT bool_or(until > $2) FROM watched WHERE tenant = $1", house.tenant, began
        )
        assert not beyond
        await late.commit()
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None)] * 2


async def test_who_reads_the_ledger_for_long_does_not_hold_the_watch_up(house: House, store: Store) -> None:
    reading = connect(store.url, name="any reader", pool_size=1, statement_timeout=30)
    async with reading.connect() as export:
        await export.execute(text("SELECT 1"))
        await house.send("asha", "preCreateUser")
        await house.round()
        assert await house.gaps() == [("preCreateUser", None, None)]
    await reading.dispose()


async def _receive_on(connection: AsyncConnection, call: Delivery) -> None:
    """receive() in a transaction that stays open, on the connection below SQLAlchemy's."""

    class _Open:
        async def fetchrow(self, query: str, *args: Any) -> Any:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")
            return await raw.fetchrow(query, *args)

    await receive(_Open(), call)  # pyright: ignore[reportArgumentType]


async def test_a_minute_behind_the_mark_is_looked_at_again(house: House) -> None:
    """For sessions whose beginning we may not see, and for a clock that was set back."""
    await house.send("asha", "preCreateUser")
    await house.pool.execute(
        "INSERT INTO watched SELECT $1, h, clock_timestamp() + interval '30 s' FROM unnest($2::text[]) AS h",
        house.tenant,
        ["preCreateUser", ""],
    )
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None)]
    await house.send("asha", "postCreateUser")
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, "confirmed late")]


async def test_a_fact_that_commits_while_its_silence_is_judged_closes_the_gap(
    house: House, engine: AsyncEngine
) -> None:
    await house.send("asha", "preCreateUser", work=[waiting()])
    await asyncio.sleep(SHORT)
    async with engine.connect() as late:
        # Begun after the intention's window was over, so that the mark may pass that.
        await asyncio.sleep(SHORT)
        await late.execute(text("SELECT 1"))
        await _receive_on(late, house.says("asha", "postCreateUser"))
        judging = asyncio.create_task(house.watcher.watch())
        await _waiting_for_a_lock(house)
        await late.commit()
        await judging
    assert await house.work() == [("preCreateUser", "planned", None)]
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, "confirmed late")]


async def _waiting_for_a_lock(house: House) -> None:
    """The round waits for the work that the fact is planning."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(1000):
        if await house.pool.fetchval(waits):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_much_to_look_at_is_done_piece_by_piece(house: House) -> None:
    house.most = 7
    for n in range(30):
        await house.send(f"u{n}", "preCreateUser")
    seen = await house.round()
    assert [(t.open, t.opened) for t in seen.tenants] == [(30, 30)]
    for n in range(30):
        await house.send(f"u{n}", "postCreateUser")
    assert [(t.open, t.closed) for t in (await house.round()).tenants] == [(0, 30)]


async def test_many_entries_of_one_instant_are_one_step_of_their_own(
    house: House, engine: AsyncEngine
) -> None:
    """An import may write thousands in one statement, with one time: no step stops in the middle of an instant."""
    await house.pool.execute(
        "INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash)"
        " SELECT now(), $1, gen_random_uuid(), 'import', 'imported', 'x', 'x', 'x' FROM generate_series(1, 50)",
        house.tenant,
    )
    for login in ("asha", "bina"):
        await house.send(login, "preCreateUser")
    at = await rows(house.pool, "SELECT DISTINCT at FROM entries WHERE tenant = $1 ORDER BY at", house.tenant)
    await asyncio.sleep(SHORT * 1.2)
    [what] = [e for e in expectations(house.windows) if e.hook == "preCreateUser"]
    for expected in (at[0], at[1], None):
        async with engine.begin() as connection:
            step = await judge(connection, house.tenant, what, "test", most=7)
        mark = await rows(house.pool, "SELECT until AS at FROM watched WHERE tenant = $1", house.tenant)
        assert step.full == bool(expected)
        if expected:
            assert mark == [expected]
    assert len(await house.gaps()) == 2


async def test_a_round_that_runs_out_of_time_goes_on_in_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.send("asha", "preCreateUser")
    monkeypatch.setattr("activities._watch.ENOUGH", 0.0)
    seen = await house.round()
    assert (seen.behind, seen.pause) == (True, 1.0)
    assert await house.gaps() == []
    monkeypatch.undo()
    seen = await house.round()
    assert (seen.behind, seen.pause) == (False, 60.0)
    assert len(await house.gaps()) == 1


async def test_a_round_cut_off_anywhere_doubles_nothing(house: House) -> None:
    house.most = 5
    people = [f"u{n}" for n in range(40)]
    for login in people:
        await house.send(login, "preCreateUser", work=[waiting()])
    await asyncio.sleep(SHORT)
    chance = random.Random(7)
    for _ in range(25):
        cut = asyncio.create_task(house.watcher.watch())
        await asyncio.sleep(chance.uniform(0, 0.03))
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
    await asyncio.gather(*(house.watcher.watch() for _ in range(4)))
    await house.round()
    assert len(await house.gaps()) == 40
    assert sorted(await house.entries(), key=str) == sorted(
        [("preCreateUser", None, "unconfirmed"), ("preCreateUser", "later", "unconfirmed")] * 40, key=str
    )


async def test_only_one_watches(house: House, engine: AsyncEngine) -> None:
    await house.send("asha", "preCreateUser")
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WATCHERS_LOCK})
        await house.round()
        assert await house.gaps() == []
    await house.round()
    assert len(await house.gaps()) == 1


async def test_gaps_under_load_never_hold_up_or_lose_a_fact(house: House) -> None:
    """Facts race the rounds that declare them missing; in the end every one is confirmed and every piece planned."""
    house.windows = windows(**dict.fromkeys(Windows.model_fields, 0.001))
    stop = asyncio.Event()

    async def rounds(watcher: Watcher) -> None:
        while not stop.is_set():
            await watcher.watch()

    async def person(n: int) -> None:
        values = [("email", f"{house.tenant}{n % 7}@x"), ("mobile", f"{house.tenant}{n % 5}")]
        for _ in range(3):
            await house.send(f"u{n}", "preCreateUser", work=[waiting()], values=values)
            await asyncio.sleep(random.uniform(0, 0.05))
        await house.send(f"u{n}", "postCreateUser", values=[])

    watching = [asyncio.create_task(rounds(house.watcher)) for _ in range(2)]
    try:
        await asyncio.gather(*(person(n) for n in range(60)))
    except StoreErrors as wrong:  # a deadlock would be one
        raise AssertionError(type(wrong).__name__) from wrong
    finally:
        stop.set()
        await asyncio.gather(*watching)
    await house.round()
    assert {how for _, _, how in await house.gaps()} <= {"confirmed late", "taken up"}
    assert await house.work() == [("preCreateUser", "planned", None)] * 180


async def test_what_lies_far_behind_the_mark_is_not_looked_at(house: House) -> None:
    """So that a round costs what is new, and not what there is."""
    await house.send("asha", "preCreateUser")
    await house.pool.execute(
        "INSERT INTO watched VALUES ($1, 'preCreateUser', clock_timestamp() + interval '1 hour')",
        house.tenant,
    )
    await house.round()
    assert await house.gaps() == []
