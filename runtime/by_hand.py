"""Finds what people did in Temporal itself: terminated, cancelled, reset, signalled. One bounded look after another.

Listing and reading histories are no billable actions of Temporal Cloud; they count against its rate limits.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from ledger.by_hand import ByHand, enter, looked_until, note_looked
from ledger.engine import Engine
from ledger.operate import Order
from runtime.attributes import TENANT
from runtime.client import OURS
from runtime.deeds import order
from runtime.workflows import WORKFLOWS
from settings import Settings

log = logging.getLogger(__name__)

MOST = 300
"""Histories that one look reads; what there is more is left to the next one."""
ENOUGH = 25.0
"""Seconds of a look, in a round of the watch that has sixty."""
_AT_ONCE = 8
_LAG = timedelta(seconds=10)
"""Runs that closed so lately may not be listed yet."""
_TWICE = timedelta(seconds=20)
"""So much is looked at a second time: a list may be behind by more."""
_FIRST = timedelta(hours=1)
"""How far back the first look goes."""
_LONGEST = timedelta(hours=6)
"""Of one look's window, so that a long absence is worked through in pieces."""
_OURS = ", ".join(f"'{workflow.__name__}'" for workflow in WORKFLOWS)
_IDENTITY = 200


@dataclass(frozen=True, slots=True)
class _Window:
    begin: datetime
    end: datetime

    def __str__(self) -> str:
        return f"CloseTime >= '{_time(self.begin)}' AND CloseTime < '{_time(self.end)}'"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to. `behind`: there is more that closed before it."""

    entered: int
    read: int
    behind: bool


class Overseer:
    """Bound to a worker's engine and client. Safe beside others: a deed is entered once, whoever finds it."""

    def __init__(
        self, engine: Engine, client: Client, settings: Settings, most: int = MOST, lag: timedelta = _LAG
    ) -> None:
        self._engine = engine
        self._client = client
        self._tenants = tuple(settings.tenants)
        self._queue = settings.temporal.task_queue
        self._mark = f"temporal:{self._queue}"
        self._most = most
        self._lag = lag

    async def oversee(self) -> bool:
        """A look, bounded in time: whether there is more to look at. What a cut off look has entered is entered."""
        try:
            async with asyncio.timeout(ENOUGH):
                return (await self.look()).behind
        except TimeoutError:
            log.warning("looking for deeds done in Temporal took longer than %.0f s", ENOUGH)
            return False

    async def look(self) -> Looked:
        """Looks at what closed since the last time. Temporal out of reach: nothing, and the mark stays where it is."""
        try:
            return await self._look()
        except (RPCError, RuntimeError, OSError) as wrong:
            log.warning("deeds done in Temporal were not looked for: %s", type(wrong).__name__)
            return Looked(0, 0, behind=False)

    async def _look(self) -> Looked:
        until = datetime.now(UTC) - self._lag
        async with self._engine.connect() as connection:
            mark = await looked_until(connection, self._mark) or until - _FIRST
        if until <= mark:
            return Looked(0, 0, behind=False)
        window = await self._bounded(_Window(mark - _TWICE, min(until, mark + _LONGEST)), mark)
        runs = [run async for run in self._client.list_workflows(f"{self._ours()} AND {window}")]
        slots = asyncio.Semaphore(_AT_ONCE)
        found = await asyncio.gather(*(self._read(run, slots) for run in runs))
        entered = 0
        for deed in (deed for deeds in found for deed in deeds):
            async with self._engine.begin() as connection:
                entered += await enter(connection, deed, self._tenants, _maker(deed))
        async with self._engine.begin() as connection:
            await note_looked(connection, self._mark, window.end)
        if entered:
            log.info("%d deeds done in Temporal entered", entered)
        return Looked(entered, len(runs), behind=window.end < until)

    def _ours(self) -> str:
        return f"WorkflowType IN ({_OURS}) AND TaskQueue = '{self._queue}'"

    async def _bounded(self, window: _Window, mark: datetime) -> _Window:
        """As much of it as one look may read; at least a second beyond the mark, however much closed in it."""
        while window.end - mark > timedelta(seconds=1):
            found = await self._client.count_workflows(f"{self._ours()} AND {window}")
            if found.count <= self._most:
                break
            window = _Window(window.begin, mark + (window.end - mark) / 2)
        return window

    async def _read(self, run: WorkflowExecution, slots: asyncio.Semaphore) -> list[ByHand]:
        async with slots:
            handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
            return [deed async for event in handle.fetch_history_events() for deed in _deeds(run, event)]


def _maker(deed: ByHand) -> Any:
    def make(tenant: str | None, subject: UUID | None, detail: dict[str, Any]) -> Order:
        return order(
            "done in temporal", deed.actor, deed.reason, tenant=tenant, subject=subject, detail=detail
        )

    return make


def _deeds(run: WorkflowExecution, event: HistoryEvent) -> Iterator[ByHand]:
    """What one event tells. A reset copies events into a new run: the same event at the same time is the same deed."""
    if event.HasField("workflow_execution_terminated_event_attributes"):
        ended = event.workflow_execution_terminated_event_attributes
        yield _deed(run, event, "terminate", ended.identity, ended.reason)
    elif event.HasField("workflow_execution_cancel_requested_event_attributes"):
        asked = event.workflow_execution_cancel_requested_event_attributes
        yield _deed(run, event, "cancel", asked.identity, asked.cause)
    elif event.HasField("workflow_execution_signaled_event_attributes"):
        sent = event.workflow_execution_signaled_event_attributes
        if not sent.identity.startswith(OURS):
            yield _deed(run, event, "signal", sent.identity, "", signal=sent.signal_name[:_IDENTITY])
    elif event.HasField("workflow_task_failed_event_attributes"):
        failed = event.workflow_task_failed_event_attributes
        if failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            base = failed.base_run_id
            yield _deed(run, event, "reset", failed.identity, failed.failure.message, base=base)


def _deed(
    run: WorkflowExecution, event: HistoryEvent, what: str, identity: str, reason: str, **more: str
) -> ByHand:
    at = event.event_time.ToDatetime(UTC)
    told = json.dumps([run.namespace, run.id, event.event_id, event.event_time.ToNanoseconds(), what])
    who = "".join(c if c.isprintable() else "\ufffd" for c in identity)[:_IDENTITY]
    return ByHand(
        key=uuid.uuid5(uuid.NAMESPACE_OID, told),
        what=what,
        actor=f"temporal:{who or 'nobody'}",
        reason=reason[:2000],
        at=at,
        workflow=run.workflow_type,
        workflow_id=run.id,
        run=run.run_id,
        tenant=run.typed_search_attributes.get(TENANT),
        more=dict(more),
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
