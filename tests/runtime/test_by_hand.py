"""What people do in Temporal itself, on a real server: each deed is an entry, once, with who and why as they said it."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle

from ledger.engine import Pool
from ledger.receive import Receipt, receive
from runtime.bell import Ring, ring
from runtime.by_hand import Looked, Overseer
from runtime.client import connect, identity
from settings import Settings
from tests.support import Servers, delivery, rows
from tests.workflows.lifecycle import lifecycle

OPERATOR = "asha.ops@example.com"


@dataclass
class World:
    """Our own client, an operator's, and a person whose run nobody works on."""

    ours: Client
    theirs: Client
    pool: Pool
    engine: AsyncEngine
    settings: Settings
    receipt: Receipt
    login: str

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The person's run as the operator has it."""
        return self.theirs.get_workflow_handle(self.receipt.workflow_id or "")

    async def ring(self) -> None:
        """What the bell does."""
        subject, id_ = self.receipt.subject, self.receipt.workflow_id or ""
        assert subject is not None
        r = Ring(subject, id_, "as100", self.login, 1, "postProvision")
        await ring(self.ours, self.settings.temporal, r, running=True)

    def overseer(self, most: int = 300) -> Overseer:
        """One that looks at what closed up to now."""
        return Overseer(self.engine, self.ours, self.settings, most, lag=timedelta(0))

    async def look(self, deeds: int) -> Looked:
        """Looks until so many were entered: lists are a moment behind."""
        entered, read = 0, 0
        end = datetime.now(UTC) + timedelta(seconds=15)
        while entered < deeds and datetime.now(UTC) < end:
            looked = await self.overseer().look()
            entered, read = entered + looked.entered, read + looked.read
        return Looked(entered, read, behind=False)

    async def entries(self) -> list[dict[str, Any]]:
        """What the ledger says was done, with the erasable body."""
        found = await rows(
            self.pool,
            "SELECT e.outcome, e.actor, e.subject, e.seq, e.detail, b.body FROM entries e JOIN bodies b "
            "ON b.delivery = e.delivery WHERE e.subject = $1 AND e.outcome = 'done in temporal' ORDER BY e.id",
            self.receipt.subject,
        )
        return [{**row, "body": json.loads(row["body"])["request"]} for row in found]


@pytest.fixture
async def world(settings: Settings, servers: Servers, pool: Pool, engine: AsyncEngine) -> World:
    """One person, rung twice by us."""
    ours = await Client.connect(servers.temporal, identity=identity("api"))
    theirs = await Client.connect(servers.temporal, identity=OPERATOR)
    login = f"u{uuid.uuid4().hex[:10]}"
    receipt = await receive(pool, delivery(login))
    world = World(ours, theirs, pool, engine, settings, receipt, login)
    await world.ring()
    await world.ring()
    return world


async def test_terminated_and_signalled_by_hand(world: World) -> None:
    await world.handle.signal("hook", args=[7, "by hand"])
    await world.handle.terminate(reason="Asha asked for it")

    assert (await world.look(2)).entered == 2
    signal, ended = await world.entries()
    assert (signal["detail"]["what"], signal["detail"]["signal"]) == ("signal", "hook")
    assert ended["detail"]["what"] == "terminate"
    assert {signal["actor"], ended["actor"]} == {f"temporal:{OPERATOR}"}
    assert (signal["seq"], ended["seq"]) == (2, 3), "our own rings are no deeds"
    assert ended["body"]["reason"] == "Asha asked for it"
    assert ended["detail"]["reason given"] is True
    assert "Asha" not in json.dumps(ended["detail"]), (
        "free text may name people: it stands where it can be erased"
    )
    assert world.login not in json.dumps([signal["detail"], ended["detail"]])
    assert ended["detail"]["run"] == (await world.handle.describe()).run_id


async def test_each_is_entered_once_whoever_looks_and_however_often(world: World) -> None:
    await world.handle.terminate("once")
    assert (await world.look(1)).entered == 1
    # A look that was lost after it had entered: the mark is where it was.
    await world.pool.execute("UPDATE watched SET until = until - interval '10 minutes' WHERE tenant = ''")
    again = await world.overseer().look()

    assert again.read >= 1
    assert again.entered == 0
    assert len(await world.entries()) == 1


async def test_cancelled_by_hand(world: World) -> None:
    await world.handle.cancel()
    await world.handle.terminate(reason="at last")

    await world.look(2)
    assert [(e["detail"]["what"], e["detail"]["reason given"]) for e in await world.entries()] == [
        ("cancel", False),
        ("terminate", True),
    ]


async def test_reset_by_hand(world: World) -> None:
    async with lifecycle(world.settings, world.ours) as person:
        person.receipts.append(world.receipt)
        await person.ended()
        history = await world.handle.fetch_history()
        task = next(e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
        base = (await world.handle.describe()).run_id
        await world.theirs.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=world.handle.id, run_id=base),
                reason="once more for Asha",
                workflow_task_finish_event_id=task.event_id,
                request_id=str(uuid.uuid4()),
            )
        )
        await person.ended()
    await world.look(1)

    [entry] = await world.entries()
    assert (entry["detail"]["what"], entry["detail"]["base"]) == ("reset", base)
    assert entry["detail"]["run"] != base
    assert "once more for Asha" in entry["body"]["reason"]
    assert entry["actor"] == "temporal:history-service", "Temporal does not keep who reset it"


async def test_a_run_that_is_nobody_s_is_entered_in_every_tenant(world: World) -> None:
    queue = world.settings.temporal.task_queue
    started = await world.ours.start_workflow("Watch", id=f"watch:{queue}", task_queue=queue)
    await world.theirs.get_workflow_handle(started.id).terminate("too loud")
    await world.look(1)

    found = await rows(
        world.pool,
        "SELECT tenant, subject, detail FROM entries WHERE outcome = 'done in temporal' AND detail->>'workflow' = 'Watch' "
        "AND detail->>'run' = $1",
        started.first_execution_run_id,
    )
    assert [(row["tenant"], row["subject"]) for row in found] == [("as100", None)]
    await world.handle.terminate()


async def test_what_another_installation_s_queue_does_is_not_ours(world: World) -> None:
    await world.ours.start_workflow("Watch", id=f"else-{uuid.uuid4()}", task_queue="another")
    await world.handle.terminate("ours")

    assert (await world.look(1)).read == 1


async def test_a_look_is_bounded_and_the_next_goes_on(world: World) -> None:
    queue = world.settings.temporal.task_queue
    for n in range(6):
        run = await world.ours.start_workflow("Watch", id=f"watch:{queue}:{n}", task_queue=queue)
        await world.theirs.get_workflow_handle(run.id).terminate(f"{n}")
    entered, looks, largest = 0, 0, 0
    end = datetime.now(UTC) + timedelta(seconds=20)
    while entered < 6 and datetime.now(UTC) < end:
        looked = await world.overseer(most=2).look()
        entered, looks, largest = entered + looked.entered, looks + 1, max(largest, looked.read)
    assert entered == 6
    await world.handle.terminate()


async def test_without_temporal_the_mark_stays(world: World) -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    before = await rows(world.pool, "SELECT count(*) FROM watched WHERE tenant = ''")
    looked = await Overseer(world.engine, away, world.settings).look()

    assert looked == Looked(0, 0, behind=False)
    assert await rows(world.pool, "SELECT count(*) FROM watched WHERE tenant = ''") == before
    await world.handle.terminate()


@pytest.mark.usefixtures("client")
async def test_our_clients_say_whose_they_are() -> None:
    assert (await connect(lazy=True, name="api")).identity.startswith("hookledger api ")
