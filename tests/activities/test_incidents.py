"""Incidents at the real store: what opens one, what it holds, how a probe ends it, and what is let go."""

import uuid
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity
from activities._breaker import cause_of
from ledger import work
from ledger.engine import Pool
from ledger.incidents import Incident, Limit, list_incidents, tend
from ledger.operate import Deed, Order
from ledger.sweep import find_unrung
from tests.activities.desk import Desk, Piece, effect
from tests.support import rows

DOWN: set[str] = set()
"""What the target says at present: empty, it answers."""
LIMIT = Limit(users=3, window=60)


@activity(on=Hook.POST_PROVISION)
async def caller(event: Event, tools: Tools) -> Outcome:
    """Calls a target that may be down."""
    if "refuses" in DOWN:
        raise Refused("no")
    if DOWN:
        raise Unavailable(next(iter(DOWN)))
    effect(tools, event.delivery)
    return Outcome("called")


@pytest.fixture(autouse=True)
async def _no_incident(pool: Pool) -> AsyncGenerator[None]:
    DOWN.clear()
    yield
    await pool.execute("DELETE FROM incidents")
    await pool.execute("DELETE FROM faults WHERE activity = 'caller'")
    await pool.execute("UPDATE work SET state = 'settled', settled_at = now() WHERE settled_at IS NULL")


@pytest.fixture
def careful(desk: Desk) -> Desk:
    """A desk with a breaker."""
    desk.wiring = replace(desk.wiring, breaker=LIMIT)
    return desk


async def somebody(desk: Desk) -> Piece:
    """Work of a fresh person."""
    desk.login = f"u{uuid.uuid4().hex[:10]}"
    return (await desk.store(caller))[0]


async def fails(desk: Desk, piece: Piece) -> None:
    """One attempt that fails."""
    with pytest.raises(ApplicationError):
        await desk.attempt(caller, piece)


async def many_fail(desk: Desk, number: int = 3, status: int = 503) -> list[Piece]:
    """So many people, of the first three of whom one attempt failed."""
    DOWN.add(f"status {status}")
    pieces = [await somebody(desk) for _ in range(number)]
    for piece in pieces[:3]:
        await fails(desk, piece)
    return pieces


async def listed(engine: AsyncEngine, *, closed: bool = True) -> list[Incident]:
    """The incidents of the desk's tenant."""
    async with engine.begin() as connection:
        return await list_incidents(connection, ["as100"], closed=closed)


async def sweep(engine: AsyncEngine, rate: float = 1000) -> int:
    """What a sweep does about incidents, with a probe due at once."""

    def over(tenant: str) -> Order:
        deed: Deed = "incident closed"
        return Order(deed, "hookledger", "a probe went well", uuid.uuid4(), "test", tenant=tenant)

    async with engine.begin() as connection:
        return await tend(connection, 0, rate, over)


async def probe_of(pool: Pool) -> uuid.UUID | None:
    """Whose turn it is."""
    return await pool.fetchval("SELECT probe FROM incidents WHERE closed_at IS NULL")


async def taken(engine: AsyncEngine, piece: Piece) -> list[work.Ref]:
    """What a run of the person would take."""
    async with engine.begin() as connection:
        return [item.ref for item in await work.take(connection, str(piece.subject))]


async def told(pool: Pool) -> list[str]:
    """What the ledger says of incidents in these minutes."""
    found = await rows(pool, "SELECT outcome FROM entries WHERE outcome LIKE 'incident %' ORDER BY id")
    return [row["outcome"] for row in found]


async def test_one_cause_of_many_people_is_one_incident_and_one_entry(
    careful: Desk, pool: Pool, engine: AsyncEngine
) -> None:
    before = len(await told(pool))
    await many_fail(careful, 2)
    assert await listed(engine) == []
    pieces = await many_fail(careful, 1)
    [incident] = await listed(engine)
    assert (incident.tenant, incident.activity, incident.cause) == (
        "as100",
        "caller",
        "Unavailable:status 503",
    )
    assert (incident.users, incident.held, incident.closed_at) == (3, 3, None)
    assert (await told(pool))[before:] == ["incident opened"]
    assert await taken(engine, pieces[0]) == []
    [settlement] = await careful.attempt(caller, pieces[0])
    assert (settlement.outcome, settlement.failed) == ("switched off", False)
    assert (await careful.work(pieces[0]))["attempt"] == 1


async def test_one_person_who_fails_often_or_what_is_refused_is_none(
    careful: Desk, engine: AsyncEngine
) -> None:
    DOWN.add("status 503")
    piece = await somebody(careful)
    for _ in range(4):
        await fails(careful, piece)
    DOWN.clear()
    DOWN.add("refuses")
    for _ in range(4):
        await fails(careful, await somebody(careful))
    assert await listed(engine) == []


async def test_different_causes_are_not_counted_together(careful: Desk, engine: AsyncEngine) -> None:
    await many_fail(careful, 2, 503)
    DOWN.clear()
    await many_fail(careful, 2, 502)
    assert await listed(engine) == []


async def test_another_tenant_goes_on(careful: Desk, engine: AsyncEngine) -> None:
    await many_fail(careful)
    careful.login = f"u{uuid.uuid4().hex[:10]}"
    [elsewhere] = await careful.store(caller, tenant="other")
    assert await taken(engine, elsewhere) == [elsewhere.ref]


async def test_one_probe_at_a_time_and_another_person_after_it(
    careful: Desk, pool: Pool, engine: AsyncEngine
) -> None:
    pieces = {piece.subject: piece for piece in await many_fail(careful)}
    await sweep(engine)
    first = await probe_of(pool)
    assert first is not None
    ready = [p.subject for p in pieces.values() if await taken(engine, p)]
    assert ready == [first]
    async with engine.begin() as connection:
        rung = await find_unrung(connection, unrung=0, quiet=3600, most=1000)
    assert {r.subject for r in rung} & set(pieces) == {first}, "it is rung at once, not when it was quiet"
    await fails(careful, pieces[first])
    assert await taken(engine, pieces[first]) == []
    await sweep(engine)
    second = await probe_of(pool)
    assert second not in (None, first)
    await sweep(engine)
    assert await probe_of(pool) == second, "it has not come to an end yet"
    await pool.execute(
        "UPDATE incidents SET probed_at = now() - interval '61 seconds', probe = gen_random_uuid()"
    )
    await sweep(engine)
    assert await probe_of(pool) in pieces, "the last one was lost"


async def test_a_probe_does_not_give_up(careful: Desk, pool: Pool, engine: AsyncEngine) -> None:
    pieces = {piece.subject: piece for piece in await many_fail(careful)}
    await sweep(engine)
    probe = pieces[await probe_of(pool) or uuid.uuid4()]
    await careful.change(probe, "give_up_at = now() - interval '1 hour'")
    await fails(careful, probe)
    row = await careful.work(probe)
    assert (row["state"], row["give_up_at"]) == ("planned", None)


async def test_a_probe_that_goes_well_ends_it_and_lets_go_at_the_rate(
    careful: Desk, pool: Pool, engine: AsyncEngine
) -> None:
    before = len(await told(pool))
    pieces = {piece.subject: piece for piece in await many_fail(careful, 5)}
    await sweep(engine)
    DOWN.clear()
    probe = pieces.pop(await probe_of(pool) or uuid.uuid4())
    assert [s.outcome for s in await careful.attempt(caller, probe)] == ["called"]
    assert await sweep(engine, rate=2) == 4
    [incident] = await listed(engine)
    assert incident.closed_at is not None
    assert (incident.released, incident.held) == (4, 0)
    assert (await told(pool))[before:] == ["incident opened", "incident closed"]
    span = await pool.fetchval(
        "SELECT extract(epoch FROM max(let_go) - min(let_go))::float8 FROM work WHERE subject = ANY ($1)",
        list(pieces),
    )
    assert span == pytest.approx(1.5), "four lanes at two a second"  # pyright: ignore[reportUnknownMemberType]
    [last] = await rows(
        pool,
        "SELECT subject::text FROM work WHERE subject = ANY ($1) ORDER BY let_go DESC LIMIT 1",
        list(pieces),
    )
    piece = pieces[uuid.UUID(last["subject"])]
    [settlement] = await careful.attempt(caller, piece)
    assert settlement.outcome == "switched off", "a run that had it in hand waits for its turn too"
    await careful.change(piece, "due = now(), let_go = now()")
    assert [s.outcome for s in await careful.attempt(caller, piece)] == ["called"]
    assert await careful.effects(piece.ref.delivery) == 1


async def test_what_failed_before_the_end_does_not_open_it_again(careful: Desk, engine: AsyncEngine) -> None:
    await many_fail(careful)
    await sweep(engine)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE incidents SET healed_at = now()")
    await sweep(engine)
    DOWN.add("status 503")
    await fails(careful, await somebody(careful))
    assert len(await listed(engine)) == 1


def test_a_cause_names_nobody() -> None:
    def raised(words: str) -> BaseException:
        try:
            try:
                raise ConnectionRefusedError("asha.rao@example.com")
            except OSError:
                raise Unavailable(words) from None
        except Unavailable as wrong:
            return wrong

    assert cause_of(raised("asha.rao")) == "Unavailable:ConnectionRefusedError"
    assert cause_of(raised("SMTP 421")) == "Unavailable:SMTP 421"
    assert cause_of(Unavailable("asha.rao")) == "Unavailable"
