"""Attempts by bind at the real store: one at a time, stale ones lose, failures are tried again until they are given up."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity, hours, seconds
from ledger import work
from tests.activities.desk import Desk, all_said, effect, writer

PRIVATE = "private.person@example.com"


async def test_one_attempt_at_a_time_in_a_lane(desk: Desk) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    running: list[str] = []

    @activity(on=Hook.POST_PROVISION)
    async def waits(event: Event, tools: Tools) -> None:
        running.append(event.delivery)
        begun.set()
        await go.wait()

    [first] = await desk.store(waits)
    [second] = await desk.store(waits)
    attempt = asyncio.create_task(desk.attempt(waits, first))
    await begun.wait()
    for piece in (first, second):
        with pytest.raises(ApplicationError) as busy:
            await desk.attempt(waits, piece)
        assert busy.value.type == "Busy"
        assert busy.value.next_retry_delay is not None
        assert timedelta(seconds=20) < busy.value.next_retry_delay <= timedelta(seconds=30)
        assert not busy.value.non_retryable
    assert running == [first.ref.delivery]
    go.set()
    await attempt
    await desk.attempt(waits, second)
    assert running == [first.ref.delivery, second.ref.delivery]


async def test_another_lane_is_not_held_up(desk: Desk) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    @activity(on=Hook.POST_PROVISION)
    async def waits(event: Event, tools: Tools) -> None:
        begun.set()
        await go.wait()

    [first] = await desk.store(waits, application="hr")
    [other] = await desk.store(waits, application="crm")
    attempt = asyncio.create_task(desk.attempt(waits, first))
    await begun.wait()
    go.set()
    await desk.attempt(waits, other)
    await attempt


async def test_a_stale_attempt_loses_outcome_entry_and_writes(desk: Desk) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    @activity(on=Hook.POST_PROVISION)
    async def sleeper(event: Event, tools: Tools) -> Outcome:
        effect(tools, f"{event.delivery} {tools.attempt}")
        if tools.attempt == 1:
            begun.set()
            await go.wait()
        return Outcome(f"attempt {tools.attempt}")

    [piece] = await desk.store(sleeper)
    stale = asyncio.create_task(desk.attempt(sleeper, piece))
    await begun.wait()
    await desk.change(piece, "lease_until = now() - interval '1 s'")
    [taken_over] = await desk.attempt(sleeper, piece)
    assert taken_over.outcome == "attempt 2"
    go.set()
    with pytest.raises(ApplicationError) as lost:
        await stale
    assert lost.value.type == "Stale"
    assert not lost.value.non_retryable
    assert await desk.outcomes(piece) == ["attempt 2"]
    assert await desk.effects(f"{piece.ref.delivery} 1") == 0
    assert await desk.effects(f"{piece.ref.delivery} 2") == 1


async def test_a_stale_failure_changes_nothing(desk: Desk, engine: AsyncEngine) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    @activity(on=Hook.POST_PROVISION)
    async def sleeper(event: Event, tools: Tools) -> None:
        begun.set()
        await go.wait()
        raise RuntimeError

    [piece] = await desk.store(sleeper)
    stale = asyncio.create_task(desk.attempt(sleeper, piece))
    await begun.wait()
    await desk.change(piece, "lease_until = now() - interval '1 s'")
    async with engine.begin() as connection:
        await work.claim(connection, [piece.ref], 30)
    go.set()
    with pytest.raises(ApplicationError):
        await stale
    row = await desk.work(piece)
    assert (row["state"], row["attempt"]) == ("running", 2)
    assert row["lease_until"] is not None


async def test_only_the_holder_extends_a_lease(desk: Desk, engine: AsyncEngine) -> None:
    [piece] = await desk.store(writer)
    async with engine.begin() as connection:
        got = await work.claim(connection, [piece.ref], 1)
        assert not isinstance(got, work.Busy)
        [claim] = got[0]
    before = (await desk.work(piece))["lease_until"]
    async with engine.begin() as connection:
        await work.renew(connection, [work.Claimed(claim.ref, 0, claim.plan, claim.give_up_at)], 500)
    assert (await desk.work(piece))["lease_until"] == before
    async with engine.begin() as connection:
        await work.renew(connection, [claim], 500)
    assert (await desk.work(piece))["lease_until"] > before


async def test_a_heartbeat_extends_the_lease(desk: Desk) -> None:
    leases: list[str] = []

    @activity(on=Hook.POST_PROVISION, timeout=seconds(3), heartbeat=seconds(0.5))
    async def beats(event: Event, tools: Tools) -> None:
        for _ in range(5):
            leases.append((await desk.work(piece))["lease_until"])
            await asyncio.sleep(0.3)
            tools.heartbeat()

    [piece] = await desk.store(beats)
    await desk.attempt(beats, piece)
    assert leases[-1] > leases[0]


@pytest.mark.parametrize(
    ("raised", "kind", "pause"),
    [
        (Unavailable(PRIVATE), "Unavailable", None),
        (Unavailable(PRIVATE, retry_after=17), "Unavailable", timedelta(seconds=17)),
        (RuntimeError(PRIVATE), "RuntimeError", None),
        (ApplicationError(PRIVATE, PRIVATE, non_retryable=True), "ApplicationError", None),
    ],
    ids=["unavailable", "retry-after", "bug", "temporal's own"],
)
async def test_what_is_tried_again(desk: Desk, raised: Exception, kind: str, pause: timedelta | None) -> None:
    @activity(on=Hook.POST_PROVISION)
    async def fails(event: Event, tools: Tools) -> None:
        raise raised

    [piece] = await desk.store(fails)
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(fails, piece)
    assert (error.value.type, error.value.non_retryable, error.value.next_retry_delay) == (kind, False, pause)
    assert PRIVATE not in all_said(error.value)
    row = await desk.work(piece)
    assert (row["state"], row["attempt"], row["lease_until"]) == ("planned", 1, None)
    assert PRIVATE in (await desk.fault(piece) or "")
    assert await desk.entries(piece) == []


async def test_a_refusal_ends_it_and_its_text_is_erasable(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION)
    async def no(event: Event, tools: Tools) -> None:
        raise Refused(f"the mailbox of {PRIVATE} is gone")

    [piece] = await desk.store(no)
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(no, piece)
    [entry] = await desk.entries(piece)
    assert (error.value.type, error.value.non_retryable) == ("Refused", True)
    assert error.value.message == f"entry {entry['id']}"
    assert PRIVATE not in all_said(error.value)
    assert (entry["outcome"], entry["detail"]) == ("refused", {"error": "Refused"})
    assert PRIVATE not in json.dumps([entry, await desk.work(piece)])
    assert PRIVATE in (await desk.fault(piece) or "")


async def test_the_clock_of_giving_up_runs_from_the_first_attempt(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION, give_up=hours(3))
    async def down(event: Event, tools: Tools) -> None:
        raise Unavailable(PRIVATE)

    [piece] = await desk.store(down)
    with pytest.raises(ApplicationError):
        await desk.attempt(down, piece)
    first = (await desk.work(piece))["give_up_at"]
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(down, piece)
    assert not error.value.non_retryable
    assert (await desk.work(piece))["give_up_at"] == first
    await desk.change(piece, "give_up_at = now() + interval '0.5 s'")
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(down, piece)
    assert error.value.non_retryable
    assert PRIVATE not in all_said(error.value)
    assert await desk.outcomes(piece) == ["failed"]


async def test_a_pause_that_outlasts_the_time_left_is_the_end(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION, give_up=seconds(60))
    async def later(event: Event, tools: Tools) -> None:
        raise Unavailable(retry_after=3600)

    [piece] = await desk.store(later)
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(later, piece)
    assert error.value.non_retryable
    assert await desk.outcomes(piece) == ["failed"]


async def test_an_attempt_is_stopped_before_temporal_would(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION, timeout=seconds(1))
    async def stuck(event: Event, tools: Tools) -> None:
        await asyncio.sleep(60)

    [piece] = await desk.store(stuck)
    with pytest.raises(ApplicationError) as error:
        await asyncio.wait_for(desk.attempt(stuck, piece), 0.95)
    assert error.value.type == "TimeoutError"
    assert (await desk.work(piece))["state"] == "planned"


async def test_a_batch_has_a_key_of_its_own_and_is_left_open_when_refused(desk: Desk) -> None:
    keys: dict[int, set[str]] = {}

    @activity(on=Hook.POST_PROVISION, batch=5)
    async def batched(events: list[Event], tools: Tools) -> None:
        keys.setdefault(len(events), set()).add(tools.key)
        if len(events) > 1:
            raise Refused(PRIVATE)

    pieces = [(await desk.store(batched))[0] for _ in range(3)]
    for _ in range(2):
        with pytest.raises(ApplicationError) as error:
            await desk.attempt(batched, *pieces)
        assert (error.value.type, error.value.non_retryable) == ("Batch", True)
        assert {(await desk.work(p))["state"] for p in pieces} == {"planned"}
    assert len(keys[3]) == 1
    for piece in pieces:
        assert [s.outcome for s in await desk.attempt(batched, piece)] == ["done"]
    assert keys[1] == {f"{p.ref.delivery}:batched" for p in pieces}
    assert not keys[3] & keys[1]
