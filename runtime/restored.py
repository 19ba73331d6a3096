"""What Temporal's histories tell of that a restored store does not have: hooks that were answered, activities that ran."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

from ledger.engine import Connection
from ledger.plan import Ref
from ledger.restored import Beyond, known_deliveries, last_numbers, still_open
from runtime.attributes import TENANT
from workflows.user_lifecycle import NAME

MOST = 5_000
"""Runs whose histories are read."""
_AT_ONCE = 8
_BEFORE = timedelta(minutes=1)
"""Runs that ended so long before the store's newest entry are looked at, too: two clocks are never one."""
_MACHINERY = frozenset({"take", "bookkeeping", "settle"})
"""Their effects are in the store alone: run again they do nothing twice."""


@dataclass(frozen=True, slots=True)
class LostHooks:
    """Hooks that were answered after the backup. `known` is False for a person of whom the store knows nothing."""

    workflow_id: str
    tenant: str
    deliveries: list[str]
    """Their receipts, as far as the run tells of them."""
    at_least: int
    known: bool


@dataclass(frozen=True, slots=True)
class RunAgain:
    """Work that ran, or was begun, and that the store calls open: it runs again, with the same idempotency key."""

    workflow_id: str
    tenant: str
    delivery: str
    activity: str
    done: bool
    """Whether it ended well; else it may have had its effect, or not."""

    @property
    def key(self) -> str:
        """What external systems know it by; a batch's is of all its deliveries."""
        return f"{self.delivery}:{self.activity}"


@dataclass(frozen=True, slots=True)
class Ahead:
    """What Temporal is ahead with. `read` runs were looked at; `more` says that there are others."""

    read: int
    more: bool
    lost: list[LostHooks]
    again: list[RunAgain]

    def by_tenant(self) -> dict[str, Beyond]:
        """Counts for the deed's entries."""
        tenants = {x.tenant for x in (*self.lost, *self.again)}
        return {
            tenant: Beyond(
                sum(x.at_least for x in self.lost if x.tenant == tenant),
                sum(x.tenant == tenant for x in self.again),
            )
            for tenant in tenants
        }


@dataclass(slots=True)
class _Run:
    """What one history tells."""

    workflow_id: str
    tenant: str
    subject: UUID | None = None
    seq: int = 0
    refs: set[Ref] = field(default_factory=set[Ref])
    begun: dict[Ref, bool] = field(default_factory=dict[Ref, bool])
    """Work that was handed to an activity, and whether that ended well."""


async def look_ahead(
    client: Client, connection: Connection, task_queue: str, newest: datetime | None, most: int = MOST
) -> Ahead:
    """Reads the histories of runs that ended after that time, or go on. Raises RPCError, RuntimeError, OSError."""
    slots = asyncio.Semaphore(_AT_ONCE)
    listed: list[WorkflowExecution] = []
    async for found in _runs(client, task_queue, newest):
        listed.append(found)
        if len(listed) > most:
            break
    more = len(listed) > most
    runs = await asyncio.gather(*(_read(client, found, slots) for found in listed[:most]))
    known = await known_deliveries(connection, {UUID(r.delivery) for run in runs for r in run.refs})
    numbers = await last_numbers(connection, {run.subject for run in runs if run.subject})
    open_ = await still_open(connection, [ref for run in runs for ref in run.begun])
    lost = _lost(runs, known, numbers)
    again = {
        ref: RunAgain(run.workflow_id, run.tenant, ref.delivery, ref.activity, done)
        for run in runs
        for ref, done in sorted(run.begun.items(), key=lambda pair: pair[1])
        if ref in open_
    }
    return Ahead(len(runs), more, lost, list(again.values()))


def _lost(runs: list[_Run], known: set[UUID], numbers: dict[UUID, int]) -> list[LostHooks]:
    """One for each person, whatever the number of their runs."""
    people: dict[str, tuple[_Run, set[str], int]] = {}
    for run in runs:
        if run.subject is None:
            continue
        deliveries = {r.delivery for r in run.refs if UUID(r.delivery) not in known}
        first, before, seq = people.get(run.workflow_id, (run, set[str](), 0))
        people[run.workflow_id] = (first, before | deliveries, max(seq, run.seq))
    found: list[LostHooks] = []
    for run, deliveries, seq in people.values():
        here = numbers.get(run.subject) if run.subject else None
        least = max(len(deliveries), seq - (here or 0))
        if here is None:
            least = max(least, 1)
        if least > 0:
            found.append(LostHooks(run.workflow_id, run.tenant, sorted(deliveries), least, here is not None))
    return found


async def _runs(client: Client, task_queue: str, newest: datetime | None) -> AsyncIterator[WorkflowExecution]:
    ours = f"WorkflowType = '{NAME}' AND TaskQueue = '{task_queue}'"
    if newest is not None:
        since = (newest - _BEFORE).strftime("%Y-%m-%dT%H:%M:%SZ")
        ours += f" AND (CloseTime >= '{since}' OR ExecutionStatus = 'Running')"
    async for found in client.list_workflows(ours):
        yield found


async def _read(client: Client, found: WorkflowExecution, slots: asyncio.Semaphore) -> _Run:
    run = _Run(found.id, found.typed_search_attributes.get(TENANT) or "")
    scheduled: dict[int, list[Ref]] = {}
    async with slots:
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        async for event in handle.fetch_history_events():
            _take_in(run, event, scheduled)
    return run


def _take_in(run: _Run, event: HistoryEvent, scheduled: dict[int, list[Ref]]) -> None:
    if event.HasField("workflow_execution_started_event_attributes"):
        for value in _values(event.workflow_execution_started_event_attributes.input):
            run.subject = UUID(value["subject"])
    elif event.HasField("workflow_execution_signaled_event_attributes"):
        numbers = _values(event.workflow_execution_signaled_event_attributes.input)
        run.seq = max([run.seq, *(n for n in numbers if isinstance(n, int))])
    elif event.HasField("marker_recorded_event_attributes"):
        for payloads in event.marker_recorded_event_attributes.details.values():
            _note(run, payloads)
    elif event.HasField("activity_task_scheduled_event_attributes"):
        attributes = event.activity_task_scheduled_event_attributes
        refs = _note(run, attributes.input)
        if attributes.activity_type.name not in _MACHINERY:
            scheduled[event.event_id] = refs
            for ref in refs:
                run.begun.setdefault(ref, False)
    elif event.HasField("activity_task_completed_event_attributes"):
        attributes_ = event.activity_task_completed_event_attributes
        _note(run, attributes_.result)
        for ref in scheduled.get(attributes_.scheduled_event_id, ()):
            run.begun[ref] = True


def _note(run: _Run, payloads: Payloads) -> list[Ref]:
    """Takes down which work is spoken of, and the highest number of a delivery."""
    found: list[Ref] = []
    for value in _values(payloads):
        for part in _objects(value):
            if isinstance(part.get("delivery"), str) and isinstance(part.get("activity"), str):
                found.append(Ref(part["delivery"], part["activity"]))
            if "ref" in part and isinstance(part.get("seq"), int):
                run.seq = max(run.seq, part["seq"])
    run.refs.update(found)
    return found


def _values(payloads: Payloads) -> Iterator[Any]:
    for payload in payloads.payloads:
        if payload.metadata.get("encoding") == b"json/plain":
            yield json.loads(payload.data)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, at any depth."""
    if isinstance(value, dict):
        object_ = cast("dict[str, Any]", value)
        yield object_
        value = list(object_.values())
    if isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _objects(part)
