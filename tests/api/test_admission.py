"""A tenant's share of the store: what one tenant does leaves room for another's decisions."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.admission import Admission, Full
from ledger.engine import Pool, Session
from settings import Deprovision, Limits, Store, Tenant, Token
from tests.api.edge import configure, listen
from tests.api.people import unique
from tests.support import Servers, rows

TOKEN = Token.model_validate({"proof": {"url": "https://platform.example/"}})


def _tenants(*names: str, **limits: Any) -> dict[str, Tenant]:
    return {
        name: Tenant(
            token=TOKEN, deprovision=Deprovision(answer="never"), limits=Limits.model_validate(limits)
        )
        for name in names
    }


def _given_back(_: Session) -> None:
    raise AssertionError("nobody has a connection here")


async def _queued(door: Admission, tenant: str, decision: bool) -> asyncio.Task[Session | None]:
    task = asyncio.create_task(door.wait(tenant, decision))
    await asyncio.sleep(0)
    return task


def test_one_tenant_alone_leaves_one_connection_to_its_decisions() -> None:
    door = Admission(4, _tenants("a"), _given_back)

    assert [door.enter("a", False) for _ in range(4)] == [True, True, True, False]
    assert [door.enter("a", True) for _ in range(2)] == [True, False]


def test_among_several_a_tenant_s_events_have_half() -> None:
    door = Admission(10, _tenants("a", "b"), _given_back)

    assert sum(door.enter("a", False) for _ in range(20)) == 5
    assert sum(door.enter("b", False) for _ in range(20)) == 4, "all events together leave one"
    assert sum(door.enter("b", True) for _ in range(20)) == 1


@dataclass
class _Clock:
    now: float = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """What the door takes for the time."""
    clock = _Clock()
    monkeypatch.setattr("api.admission.time.monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def stepped_back(clock: _Clock) -> Admission:
    """A door of ten places after a decision, with as many events as it lets in."""
    del clock
    door = Admission(10, _tenants("a"), _given_back)
    assert door.enter("a", True)
    door.leave("a", True, None)
    assert sum(door.enter("a", False) for _ in range(20)) == 3
    return door


def test_events_step_back_while_decisions_are_asked_for(stepped_back: Admission, clock: _Clock) -> None:
    clock.now += 1.1
    assert sum(stepped_back.enter("a", False) for _ in range(20)) == 6, "all but one again"


async def test_after_they_stepped_back_events_have_all_but_one_again(
    stepped_back: Admission, clock: _Clock
) -> None:
    """Though there is always somebody who waits."""
    waiting = [await _queued(stepped_back, "a", False) for _ in range(20)]

    clock.now += 1.1
    stepped_back.leave("a", False, None)
    await asyncio.sleep(0)
    assert sum(task.done() for task in waiting) == 7, "two went on, seven came in"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def test_a_pool_of_one_is_shared() -> None:
    door = Admission(1, _tenants("a", "b"), _given_back)

    assert (door.enter("a", False), door.enter("b", True)) == (True, False)
    door.leave("a", False, None)
    assert door.enter("b", True)


async def test_decisions_come_before_events_and_tenants_take_turns() -> None:
    door = Admission(1, _tenants("a", "b"), _given_back)
    assert door.enter("a", False)
    order: list[str] = []

    async def call(name: str, tenant: str, decision: bool) -> None:
        await door.wait(tenant, decision)
        order.append(name)
        await asyncio.sleep(0)
        door.leave(tenant, decision, None)

    calls = [("a1", "a", False), ("a2", "a", False), ("b1", "b", False), ("b validates", "b", True)]
    tasks: list[asyncio.Task[None]] = []
    for which in calls:
        tasks.append(asyncio.create_task(call(*which)))
        await asyncio.sleep(0)
    door.leave("a", False, None)
    await asyncio.gather(*tasks)

    assert order == ["b validates", "a1", "b1", "a2"]


async def test_more_than_may_wait_are_turned_away_at_once() -> None:
    door = Admission(1, _tenants("a", "b", waiting=1), _given_back)
    assert door.enter("a", False)
    first = await _queued(door, "a", False)

    with pytest.raises(Full):
        await door.wait("a", False)
    door.leave("a", False, None)
    await first


async def test_a_caller_that_gives_up_leaves_its_place_to_the_next() -> None:
    door = Admission(1, _tenants("a"), _given_back)
    assert door.enter("a", True)
    gone, stays = await _queued(door, "a", True), await _queued(door, "a", True)

    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    door.leave("a", True, None)
    await asyncio.wait_for(stays, 1)
    door.leave("a", True, None)

    assert door.enter("a", True)


async def test_a_caller_let_in_while_it_gives_up_gives_the_place_back() -> None:
    door = Admission(1, _tenants("a"), _given_back)
    assert door.enter("a", True)
    gone = await _queued(door, "a", True)

    door.leave("a", True, None)  # lets it in
    gone.cancel()  # before it has run
    await asyncio.gather(gone, return_exceptions=True)

    assert door.enter("a", True)


async def test_who_leaves_hands_the_connection_to_the_next_and_the_last_gives_it_back() -> None:
    back: list[Any] = []
    door = Admission(1, _tenants("a"), back.append)
    connection: Any = object()
    assert door.enter("a", True)
    first, gone, last = [await _queued(door, "a", True) for _ in range(3)]

    door.leave("a", True, connection)
    assert await first is connection
    door.leave("a", True, connection)  # lets the next one in
    gone.cancel()  # before it has run
    await asyncio.gather(gone, return_exceptions=True)
    assert await last is connection
    door.leave("a", True, None)
    assert back == [], "the store did not answer: the pool has it already"

    assert door.enter("a", True)
    door.leave("a", True, connection)
    assert back == [connection]


async def test_new_limits_hold_for_the_next_call() -> None:
    door = Admission(10, _tenants("a", "b"), _given_back)
    door.use(_tenants("a", "b", events=2))

    assert sum(door.enter("a", False) for _ in range(20)) == 2


async def test_a_tenant_that_has_its_share_leaves_the_others_and_its_own_decisions_alone(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events wait on a lock that somebody else has: that is as slow as a store can be."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    limits = '[tenants.as100.rules]\nmode = "on"\n[tenants.as100.limits]\nevents = 2\nwaiting = 1\n'
    settings = configure(tmp_path, store, "as200", api="deadline = 1.0", rules=limits)
    stuck = {"user": {"login": unique()}}
    async with listen(settings) as edge, pool.acquire() as session, session.transaction():
        await session.execute(
            "SELECT pg_advisory_xact_lock(lock_key('login', 'as100', $1))", stuck["user"]["login"]
        )
        waiting = [asyncio.create_task(edge.hook("postUpdateUser", stuck)) for _ in range(3)]
        await asyncio.sleep(0.3)

        crowded = await edge.hook("postUpdateUser", {"user": {"login": unique()}})
        decided = await edge.answer("validateUser", {"user": {"login": unique()}})
        other = await edge.hook("postUpdateUser", {"user": {"login": unique()}}, "as200")

        assert (crowded.status_code, crowded.headers["content-type"]) == (429, "application/problem+json")
        assert int(crowded.headers["retry-after"]) >= 1
        assert crowded.json()["type"] == "urn:hookledger:problem:too_many"
        assert "data" in decided
        assert other.status_code == 200
        answers = sorted(got.status_code for got in await asyncio.gather(*waiting))
        # The third waited for its turn until the deadline, or all but the last moment of it.
        assert answers in ([429, 503, 503], [503, 503, 503])


async def test_a_decision_that_finds_no_place_is_answered_and_kept(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    limits = '[tenants.as100.rules]\nmode = "on"\n[tenants.as100.limits]\ndecisions = 1\nwaiting = 0\n'
    settings = configure(tmp_path, store, "as200", api="deadline = 1.0", rules=limits)
    stuck, late = {"user": {"login": unique()}}, unique()
    async with listen(settings) as edge, pool.acquire() as session, session.transaction():
        await session.execute(
            "SELECT pg_advisory_xact_lock(lock_key('login', 'as100', $1))", stuck["user"]["login"]
        )
        first = asyncio.create_task(edge.hook("preUpdateUser", stuck))
        await asyncio.sleep(0.2)
        turned = await edge.answer("validateUser", {"user": {"login": late}})
        await first
    assert turned == {"error": True, "message": "ValidationUnavailable"}
    [kept] = await rows(
        pool,
        "SELECT d.verdict FROM deliveries d JOIN handles h USING (subject) WHERE h.value = $1",
        late,
    )
    assert kept == {"verdict": "turned away"}
