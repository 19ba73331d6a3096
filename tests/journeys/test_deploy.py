"""A deploy that adds one activity and removes another while fifty workflows are open."""

import asyncio
import signal
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause

from ledger.engine import Pool
from ledger.receive import Planned, Receipt, receive
from runtime.bell import Ring, ring
from tests.journeys.processes import Journey, own_store, until_settled
from tests.support import Servers, delivery, rows

PEOPLE = 50
_WAITING = '''"""Waits for the flag."""
from pathlib import Path
from activities import Event, Hook, Tools, Unavailable, activity, seconds


@activity(on=Hook.POST_PROVISION, longest_wait=seconds(1))
async def {name}(event: Event, tools: Tools) -> None:
    if not Path(r"{flag}").exists():
        raise Unavailable("not yet")
'''
_FRESH = '''"""Came with the deploy."""
from activities import Event, Hook, Tools, activity


@activity(on=Hook.POST_PROVISION)
async def fresh(event: Event, tools: Tools) -> None:
    pass
'''


async def test_added_and_removed_activities_with_open_workflows(servers: Servers, tmp_path: Path) -> None:
    store, pool = await own_store(servers)
    package = f"tenant_{uuid.uuid4().hex[:8]}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A tenant\'s own activities."""\n')
    flag = tmp_path / "flag"
    for name in ("stays", "leaves"):
        (folder / f"{name}.py").write_text(_WAITING.format(name=name, flag=flag))
    journey = Journey.begin(tmp_path, store, package)
    try:
        journey.start("worker")
        client = await journey.client()

        async def send(login: str, *activities: str) -> Receipt:
            work = [Planned(a, a, "{}", timedelta(0), waits=False) for a in activities]
            got = await receive(pool, delivery(login, work=work))
            assert got.subject is not None
            ringing = Ring(got.subject, got.workflow_id or "", "as100", login, got.seq or 0, "postProvision")
            await ring(client, journey.settings.temporal, ringing)
            return got

        people = [f"p{n}" for n in range(PEOPLE)]
        receipts = await asyncio.gather(*(send(p, "stays", "leaves") for p in people))
        await _until_all_tried(pool)
        assert await asyncio.to_thread(journey.end, "worker", signal.SIGTERM) == 0

        (folder / "leaves.py").unlink()
        (folder / "fresh.py").write_text(_FRESH)
        flag.touch()
        journey.start("worker")
        await asyncio.gather(*(send(p, "fresh") for p in people))
        await until_settled(pool, 90)

        outcomes = await rows(
            pool,
            "SELECT activity, outcome, count(*) AS n FROM entries WHERE activity IS NOT NULL GROUP BY 1, 2 ORDER BY 1",
        )
        assert outcomes == [
            {"activity": "fresh", "outcome": "done", "n": PEOPLE},
            {"activity": "leaves", "outcome": "retired", "n": PEOPLE},
            {"activity": "stays", "outcome": "done", "n": PEOPLE},
        ]
        for receipt in receipts:
            history = await client.get_workflow_handle(receipt.workflow_id or "").fetch_history()
            # A ring that came while a run was ending: Temporal has the task done again, and nothing has failed.
            rung = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
            failed = [
                e
                for e in history.events
                if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
                and e.workflow_task_failed_event_attributes.cause != rung
            ]
            assert failed == []
    finally:
        journey.stop()
        await pool.close()


async def _until_all_tried(pool: Pool) -> None:
    for _ in range(900):
        if await pool.fetchval("SELECT count(*) FROM work WHERE attempt > 0") == 2 * PEOPLE:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not all were tried")
