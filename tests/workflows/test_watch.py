"""The watch as operators see it: one long-lived run on a real Temporal, and what it does to people's work."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from activities._registry import registry
from ledger.receive import Planned, plan_text, receive
from runtime.long_lived import WATCH
from settings import Settings, Store
from tests.support import delivery, rows, write_configuration
from tests.workflows.lifecycle import Lifecycle, lifecycle
from workflows.watch import NAME, SUMMARY

QUICK = "[sweep]\nunrung = 0.1\nquiet = 1.0\n[watch]\ninterval = 0.1\n"


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Short windows and a round ten times a second."""
    settings = write_configuration(tmp_path, store, f"{QUICK}[tenants.as100.windows]\npreProvision = 0.2\n")
    # Rounds would look at other tests' people too: a name of its own keeps this tenant's gaps apart.
    return settings.model_copy(update={"tenants": {f"t{uuid.uuid4().hex[:8]}": settings.tenants["as100"]}})


@pytest.fixture
async def watch(client: Client, settings: Settings) -> AsyncGenerator[WorkflowHandle[Any, Any]]:
    """The run; ended by hand afterwards, as nothing else would end it."""
    handle = client.get_workflow_handle(WATCH.id(settings.temporal.task_queue))
    yield handle
    await handle.terminate("the test is over")


async def _rounds(handle: WorkflowHandle[Any, Any]) -> int:
    history = await handle.fetch_history()
    return sum(e.HasField("activity_task_completed_event_attributes") for e in history.events)


async def _details(handle: WorkflowHandle[Any, Any]) -> str:
    found = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return found.current_details


async def test_it_runs_round_after_round_and_says_what_it_is(
    person: Lifecycle, watch: WorkflowHandle[Any, Any]
) -> None:
    await WATCH.start(person.client, person.settings.temporal)
    await person.until(lambda: _at_least(watch, 3))
    state = await watch.describe()
    assert state.status is WorkflowExecutionStatus.RUNNING
    assert state.workflow_type == NAME
    assert await state.static_summary() == SUMMARY
    assert f"| {next(iter(person.settings.tenants))} | 0 | 0 | 0 |" in await _details(watch)


async def _at_least(handle: WorkflowHandle[Any, Any], rounds: int) -> bool:
    return await _rounds(handle) >= rounds


async def test_with_several_workers_there_is_one_run(
    person: Lifecycle, watch: WorkflowHandle[Any, Any]
) -> None:
    temporal = person.settings.temporal
    await asyncio.gather(*(WATCH.start(person.client, temporal) for _ in range(5)))
    first = (await watch.describe()).run_id
    await WATCH.start(person.client, temporal)
    assert (await watch.describe()).run_id == first
    found = [w async for w in person.client.list_workflows(f'WorkflowId = "{watch.id}"')]
    assert len({w.run_id for w in found} | {first}) == 1


async def test_ended_by_hand_it_has_a_successor(person: Lifecycle, watch: WorkflowHandle[Any, Any]) -> None:
    keeping = asyncio.create_task(WATCH.keep(person.client, person.settings.temporal, again=0.1))
    try:
        await person.until(lambda: _runs(watch))
        first = (await watch.describe()).run_id
        await watch.terminate("by hand")

        async def another() -> bool:
            state = await watch.describe()
            return state.run_id != first and state.status is WorkflowExecutionStatus.RUNNING

        await person.until(another)
    finally:
        keeping.cancel()


async def _runs(handle: WorkflowHandle[Any, Any]) -> bool:
    try:
        return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    except Exception:
        return False


async def test_a_server_out_of_reach_is_asked_again(settings: Settings) -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    keeping = asyncio.create_task(WATCH.keep(away, settings.temporal, again=0.05))
    await asyncio.sleep(0.3)
    assert not keeping.done()
    keeping.cancel()


async def test_it_continues_as_new_under_the_same_name(
    person: Lifecycle, watch: WorkflowHandle[Any, Any]
) -> None:
    first = await person.client.start_workflow(
        NAME,
        3,
        id=watch.id,
        task_queue=person.settings.temporal.task_queue,
    )

    async def another() -> bool:
        return (await watch.describe()).run_id != first.first_execution_run_id

    await person.until(another)
    assert (await watch.describe()).status is WorkflowExecutionStatus.RUNNING
    # Its own words until its first round, which may be over by now: then the counts.
    assert (await _details(watch)).startswith((SUMMARY, "| tenant |")), "the new run says nothing of itself"


async def test_a_late_fact_revives_work_and_closes_the_gap(
    settings: Settings, client: Client, watch: WorkflowHandle[Any, Any]
) -> None:
    [tenant] = settings.tenants
    async with lifecycle(settings, client) as person:
        await WATCH.start(client, settings.temporal)
        badge = registry()["badge"]
        work = [Planned("badge", badge.lane_for("hr"), plan_text(badge.plan), timedelta(days=30), waits=True)]
        asked = delivery(person.login, "preProvision", tenant=tenant, application="hr", work=work)
        person.receipts.append(await receive(person.pool, asked))

        async def gap() -> str | None:
            found = await rows(person.pool, "SELECT closed_as FROM gaps WHERE delivery = $1", asked.id)
            return (found[0]["closed_as"] or "open") if found else None

        assert await person.until(gap) == "open"
        assert await person.outcomes() == [(1, "badge", "unconfirmed")]
        assert f"| {tenant} | 1 |" in await person.until(lambda: _said(watch, f"| {tenant} | 1 |"))

        fact = delivery(
            person.login,
            "postProvision",
            tenant=tenant,
            application="hr",
            fact=True,
            confirms=["preProvision"],
        )
        await receive(person.pool, fact)
        sweeping = asyncio.create_task(person.sweep.run())
        try:
            await person.until(lambda: _done(person))
            await person.until(lambda: _is(gap, "confirmed late"))
        finally:
            sweeping.cancel()
        assert await person.outcomes() == [(1, "badge", "unconfirmed"), (1, "badge", "done")]
        assert await person.until(lambda: _said(watch, f"| {tenant} | 0 |"))
        history = json.dumps((await watch.fetch_history()).to_json_dict())
        assert person.login not in history
        assert str(person.subject) not in history


async def test_it_finds_what_was_done_in_temporal_itself(
    settings: Settings, client: Client, watch: WorkflowHandle[Any, Any]
) -> None:
    async with lifecycle(settings, client) as person:
        await WATCH.start(client, settings.temporal)
        await person.send("patient")
        await person.handle.terminate(reason="by hand")

        async def entered() -> list[Any]:
            return await rows(
                person.pool,
                "SELECT detail->>'what' AS what FROM entries WHERE subject = $1 AND outcome = 'done in temporal'",
                person.subject,
            )

        assert await person.until(entered, within=40) == [{"what": "terminate"}]


async def _said(handle: WorkflowHandle[Any, Any], words: str) -> str | None:
    details = await _details(handle)
    return details if words in details else None


async def _done(person: Lifecycle) -> bool:
    return (await person.outcomes())[-1][2] == "done"


async def _is(ask: Any, value: str) -> bool:
    return await ask() == value
