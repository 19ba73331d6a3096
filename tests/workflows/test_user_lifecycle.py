"""The lifecycle against real servers: order, lanes, retries, giving up, holding, and what operators see."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities import _bind
from ledger import operate
from ledger.engine import open_pool
from runtime.sweep import Sweep
from settings import Settings
from tests.support import rows
from tests.workflows.examples import several
from tests.workflows.lifecycle import Lifecycle, lifecycle

COMPLETED, FAILED = WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED


async def test_activities_run_once_each_in_order(person: Lifecycle) -> None:
    for _ in range(5):
        await person.send("badge")
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == [(n, "badge", "done") for n in range(1, 6)]


async def test_after_waits_for_the_other_activity(person: Lifecycle) -> None:
    await person.send("door", "badge")
    assert await person.ended() is COMPLETED
    assert [activity for _, activity, _ in await person.outcomes()] == ["badge", "door"]


async def test_after_something_not_planned_does_not_wait(person: Lifecycle) -> None:
    await person.send("door")
    assert await person.ended() is COMPLETED


async def test_a_failing_lane_holds_back_only_itself(person: Lifecycle) -> None:
    await person.send("slow", "badge")
    await person.send("slow", "badge")
    assert await person.ended() is COMPLETED
    assert [a for _, a, _ in await person.outcomes()] == ["badge", "badge", "slow", "slow"]


async def test_an_activity_that_always_fails_for_one_delays_no_other(person: Lifecycle) -> None:
    """CASES 30: of the same activity neither, while it is tried again and again."""
    one = replace(person, login=f"poisoned{uuid.uuid4().hex[:10]}", receipts=[])
    for _ in range(3):
        await one.send("poisoned", "badge")

    def tries() -> int:
        return sum(name == "poisoned" and who == str(one.subject) for name, who, _ in several.order)

    async def failed() -> bool:
        return tries() >= 2

    await one.until(failed)
    others = [replace(person, login=f"u{uuid.uuid4().hex[:10]}", receipts=[]) for _ in range(10)]
    began, before = time.monotonic(), tries()
    for other in others:
        await other.send("poisoned")

    assert {await other.ended(5) for other in others} == {COMPLETED}
    assert time.monotonic() - began < 5
    assert [await other.outcomes() for other in others] == [[(1, "poisoned", "done")]] * 10
    assert await one.outcomes() == [(n, "badge", "done") for n in (1, 2, 3)]

    async def fails_on() -> bool:
        return tries() > before

    await one.until(fails_on)
    await one.handle.terminate()


async def test_errors_are_retried_and_stay_out_of_temporal(
    person: Lifecycle, caplog: pytest.LogCaptureFixture
) -> None:
    receipt = await person.send("flaky")
    assert await person.ended() is COMPLETED
    [(_, _, outcome)] = await person.outcomes()
    assert outcome == "done"
    history = json.dumps((await person.handle.fetch_history()).to_json_dict())
    assert several.EMAIL_IN_ERROR not in history
    faults = await rows(
        person.pool,
        "SELECT text FROM faults f JOIN work w USING (delivery, activity) WHERE w.subject = $1",
        receipt.subject,
    )
    assert several.EMAIL_IN_ERROR in faults[0]["text"]
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert set(said) == {"flaky will be tried again: RuntimeError"}, (
        "one line for an attempt: many people may have one"
    )


async def test_a_refusal_fails_the_run_and_names_it(person: Lifecycle) -> None:
    await person.send("refused", "badge")
    assert await person.ended() is FAILED
    assert sorted(await person.outcomes()) == [(1, "badge", "done"), (1, "refused", "refused")]
    entry = await person.pool.fetchval(
        "SELECT id FROM entries WHERE subject = $1 AND outcome = 'refused' AND activity IS NOT NULL",
        person.subject,
    )
    with pytest.raises(WorkflowFailureError) as failure:
        await person.handle.result()
    assert "refused gave up" in str(failure.value.cause)
    assert f"entry {entry}" in str(failure.value.cause)
    history = json.dumps((await person.handle.fetch_history()).to_json_dict())
    assert several.EMAIL_IN_ERROR not in history


async def test_a_held_lane_waits_for_the_operator(person: Lifecycle, engine: AsyncEngine) -> None:
    first = await person.send("held")
    assert await person.ended() is FAILED
    await person.send("held")
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == [(1, "held", "refused")]
    assert await person.open_work() == 2
    await _operate(person, engine, "redrive", first.seq)
    assert await person.ended() is COMPLETED
    assert [(s, o) for s, a, o in await person.outcomes() if a == "held"][-2:] == [(1, "done"), (2, "done")]


async def test_a_failure_that_was_not_heard_of_holds_its_lane_too(
    person: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies between its commit and its report: the next attempt finds the work held."""
    attempt: Any = vars(_bind)["_Attempt"]
    fail = cast("Callable[..., Awaitable[ApplicationError]]", vars(attempt)["_fail"])
    lost = False

    async def unheard(self: Any, *arguments: Any) -> ApplicationError:
        nonlocal lost
        ended = await fail(self, *arguments)
        if lost:
            return ended
        lost = True
        return ApplicationError("lost", type="Lost")

    monkeypatch.setattr(attempt, "_fail", unheard)
    await person.store("held")
    await person.send("held")
    assert await person.ended() is FAILED
    assert lost
    assert await person.outcomes() == [(1, "held", "refused")]
    assert await person.open_work() == 2


async def test_a_skipped_piece_frees_its_lane(person: Lifecycle, engine: AsyncEngine) -> None:
    first = await person.send("held")
    assert await person.ended() is FAILED
    await person.send("held")
    assert await person.ended() is COMPLETED
    await _operate(person, engine, "skip", first.seq)
    await person.until(lambda: _none_open(person))
    assert (2, "held", "done") in await person.outcomes()


async def _none_open(person: Lifecycle) -> bool:
    return await person.open_work() == 0


async def _operate(person: Lifecycle, engine: AsyncEngine, deed: operate.Deed, seq: int | None) -> None:
    import uuid

    found = await rows(
        person.pool, "SELECT id FROM deliveries WHERE subject = $1 AND seq = $2", person.subject, seq
    )
    order = operate.Order(
        deed,
        "os:tester",
        "because",
        uuid.uuid4(),
        "test",
        delivery=uuid.UUID(found[0]["id"]),
        activity="held",
    )
    async with engine.begin() as connection:
        done = await operate.operate(connection, order)
    assert done.count == 1
    await person.ring()


async def test_a_batch_gets_all_that_wait_and_is_split_when_it_gives_up(person: Lifecycle) -> None:
    for application in (None, None, "bad", None):
        await person.store("batched", application=application)
    # All in one lane: what matters is the batch, not the application.
    await person.pool.execute("UPDATE work SET lane = 'batched' WHERE subject = $1", person.subject)
    await person.ring()
    assert await person.ended() is FAILED
    outcomes = {seq: outcome for seq, _, outcome in await person.outcomes()}
    assert outcomes == {1: "done", 2: "done", 3: "refused", 4: "done"}


async def test_a_stuck_activity_ends_with_its_time(person: Lifecycle) -> None:
    await person.send("stuck")
    assert await person.ended() is FAILED
    assert await person.outcomes() == [(1, "stuck", "failed")]
    assert await person.open_work() == 0


async def test_a_lost_ring_is_made_up_by_the_sweep(person: Lifecycle) -> None:
    await person.store("badge")
    await asyncio.sleep(0.2)
    assert await person.sweep.round() >= 1
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == [(1, "badge", "done")]


async def test_the_first_hook_ever_waits_for_the_first_worker(settings: Settings, client: Client) -> None:
    pool = await open_pool(settings.store, "test")
    early = Lifecycle(client, pool, settings, Mock(spec=Sweep), f"u{uuid.uuid4().hex[:10]}", [])
    await early.send("badge")
    assert (await early.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with lifecycle(settings, client):
        assert await early.ended() is COMPLETED
    assert await early.outcomes() == [(1, "badge", "done")]
    await pool.close()


async def test_a_terminated_run_is_picked_up(person: Lifecycle) -> None:
    await person.send("patient")
    await person.until(lambda: _tried(person))
    await person.handle.terminate("by hand")
    await asyncio.sleep(1.2)
    await person.until(lambda: _swept(person))
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == [(1, "patient", "done")]


async def test_what_runs_while_its_run_is_terminated_is_not_run_twice(person: Lifecycle) -> None:
    receipt = await person.send("slow")
    await asyncio.sleep(0.3)
    await person.handle.terminate("by hand")
    await person.ring()
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == [(1, "slow", "done")]
    assert [s for a, s, _ in several.order if a == "slow" and s == str(receipt.subject)] == [
        str(receipt.subject)
    ]


async def _tried(person: Lifecycle) -> bool:
    return bool(
        await rows(
            person.pool,
            "SELECT 1 FROM work WHERE subject = $1 AND attempt = 1 AND state = 'planned'",
            person.subject,
        )
    )


async def _swept(person: Lifecycle) -> bool:
    await person.sweep.round()
    return await person.open_work() == 0


async def test_delayed_work_comes_when_due_and_not_when_cancelled(person: Lifecycle) -> None:
    await person.send("reminder")
    assert await person.ended() is COMPLETED
    assert await person.outcomes() == []
    await _make_due(person)
    await person.until(lambda: _swept(person))
    assert await person.outcomes() == [(1, "reminder", "done")]
    await person.send("reminder")
    await person.store(hook="postUpdateUser")
    await _make_due(person)
    await person.until(lambda: _swept(person))
    assert (await person.outcomes())[-1] == (2, "reminder", "cancelled")


async def _make_due(person: Lifecycle) -> None:
    await person.pool.execute(
        "UPDATE work SET due = now() - interval '1 s' WHERE subject = $1", person.subject
    )


async def test_effects_in_the_store_are_exactly_once(person: Lifecycle) -> None:
    receipt = await person.send("counted")
    for _ in range(5):
        await person.ring()
    assert await person.ended() is COMPLETED
    effects = await rows(
        person.pool,
        "SELECT 1 FROM refusals r JOIN work w ON w.delivery::text = r.tenant WHERE w.subject = $1",
        receipt.subject,
    )
    assert len(effects) == 1


async def test_two_thousand_deliveries_keep_order_and_bounded_histories(person: Lifecycle) -> None:
    for start in range(0, 2000, 100):
        for _ in range(100):
            await person.store("creation")
        del start
        await person.ring()
    assert await person.until(lambda: _none_open(person), within=120)
    await person.ended()
    seqs = [seq for seq, _, _ in await person.outcomes()]
    assert seqs == list(range(1, 2001))
    history = await person.handle.fetch_history()
    assert len(history.events) < 1000


async def test_a_long_run_continues_as_new(person: Lifecycle, client: Client) -> None:
    for _ in range(700):
        await person.store("creation")
    await person.ring()
    await person.until(lambda: _none_open(person), within=60)
    assert await person.ended() is COMPLETED
    runs = [w.status async for w in client.list_workflows(f'WorkflowId = "{person.handle.id}"')]
    assert runs.count(WorkflowExecutionStatus.CONTINUED_AS_NEW) == 1
    assert [seq for seq, _, _ in await person.outcomes()] == list(range(1, 701))


async def test_ops_read_who_it_is(person: Lifecycle, client: Client) -> None:
    await person.send("badge")
    await person.ended()
    description = await person.handle.describe()
    assert person.login in (await description.static_summary() or "")
    found = [w async for w in client.list_workflows(f'Login = "{person.login}"')]
    assert found
