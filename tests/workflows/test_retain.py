"""Retention on a real Temporal: its schedule is there, one run of it makes months, drops, and says so."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.client import Client, ScheduleActionStartWorkflow
from temporalio.testing import ActivityEnvironment

from ledger.retained import Retained, Step
from runtime.retaining import Retainer
from runtime.schedules import retention_id, set_schedules
from settings import Settings
from tests.conftest import TEMPLATE
from tests.ledger.months import OLD, give_past, receive_in
from tests.ledger.sealing import Ledger, database
from tests.support import Servers, write_configuration
from tests.workflows.lifecycle import Lifecycle
from tests.workflows.replaying import replay_fresh
from workflows.retain import ALIVE, NAME, shown


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """One that nobody else writes to, with an old month."""
    async with database(servers, TEMPLATE, short_ids=False) as ledger:
        await give_past(ledger)
        await receive_in(ledger, OLD, "a", "b")
        await ledger.seal()
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """Two months more are made than the migration makes."""
    return write_configuration(tmp_path, ledger.store, "[ledger.retention]\nahead = 5")


async def test_the_schedule_s_run_makes_months_and_drops(
    person: Lifecycle, ledger: Ledger, client: Client, settings: Settings
) -> None:
    await set_schedules(client, settings)
    id_ = retention_id(settings.temporal.task_queue)
    schedule = client.get_schedule_handle(id_)
    try:
        action = (await schedule.describe()).schedule.action
        assert isinstance(action, ScheduleActionStartWorkflow)
        assert (action.workflow, action.task_queue) == (NAME, settings.temporal.task_queue)
        await set_schedules(client, settings)

        handle = await client.start_workflow(
            NAME, id=f"{id_}-test", task_queue=settings.temporal.task_queue, result_type=Retained
        )
        retained = await handle.result()
        await replay_fresh(await handle.fetch_history(), "retain-0")
    finally:
        await schedule.delete()
    assert retained == Retained(6, [Step("bodies", "2024-03", {"bodies": 2})])
    assert (
        await ledger.root.fetchval("SELECT count(*) FROM entries WHERE actor = 'hookledger:retention'") == 1
    )
    assert (await ledger.verify()).findings == []


async def test_a_worker_that_dies_in_a_round_is_noticed(
    person: Lifecycle, client: Client, settings: Settings
) -> None:
    queue = settings.temporal.task_queue
    handle = await client.start_workflow(NAME, id=f"{retention_id(queue)}-beats", task_queue=queue)
    await handle.result()
    scheduled = [
        event.activity_task_scheduled_event_attributes
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert [one.heartbeat_timeout.ToTimedelta() for one in scheduled] == [ALIVE]
    environment, beats = ActivityEnvironment(), list[object]()
    environment.on_heartbeat = lambda *details: beats.append(details)
    await environment.run(Retainer(settings).retain)
    assert beats


def test_what_was_put_off_is_shown() -> None:
    words = shown(Retained(0, [Step("entries", "2019-03", {}, trouble="not sealed")], "somebody reads"))

    assert "**No months were made:** somebody reads." in words
    assert "| entries | 2019-03 |  | not sealed |" in words
