"""Keeps the Temporal Schedules as the configuration says: `reconcile:{tenant}` for each tenant that wants it; `retain:…`."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from runtime.attributes import TENANT
from settings import Settings
from settings.platform import interval
from workflows import retain
from workflows.reconcile import NAME, Order

log = logging.getLogger(__name__)

_PREFIX = "reconcile:"
_OURS = "hookledger.task_queue"
"""Memo that tells our schedules from those of another installation in the same namespace."""
_LATE = timedelta(hours=1)
"""A run that came due while Temporal was away is caught up with so long."""
_DAILY = "40 1 * * *"
"""UTC. Retention is never switched off: without it, months to come would lack."""


async def keep_schedules(client: Client, settings: Settings) -> None:
    """Sets them, again and again until Temporal has answered for each; never raises."""
    pause = 1.0
    while True:
        try:
            await set_schedules(client, settings)
            return
        except (RPCError, RuntimeError, OSError) as wrong:
            log.warning("schedules put off: %s", type(wrong).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 60.0)


async def set_schedules(client: Client, settings: Settings) -> None:
    """Makes, changes and removes them; any number of workers may do it at once. Raises RPCError."""
    queue = settings.temporal.task_queue
    wanted = {
        schedule_id(name): _schedule(name, tenant.platform.reconcile, queue)
        for name, tenant in settings.tenants.items()
        if tenant.platform is not None and tenant.platform.reconcile != "off"
    }
    for id_, schedule in {**wanted, retention_id(queue): _retention(queue)}.items():
        await _set(client, id_, schedule, queue)
    async for found in await client.list_schedules():
        if (
            found.id.startswith(_PREFIX)
            and found.id not in wanted
            and await found.memo_value(_OURS, "") == queue
        ):
            await _remove(client, found.id)
    # The list is behind what was just made; who switches it off at once is seen by name.
    for name in settings.tenants:
        if (id_ := schedule_id(name)) not in wanted and await _is_ours(client, id_, queue):
            await _remove(client, id_)


def schedule_id(tenant: str) -> str:
    """The id of a tenant's schedule, and the beginning of its runs' ids."""
    return f"{_PREFIX}{tenant}"


def retention_id(queue: str) -> str:
    """The id of the schedule of retention, and the beginning of its runs' ids: one for each installation."""
    return f"retain:{queue}"


def _retention(queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            retain.NAME, id=retention_id(queue), task_queue=queue, static_summary=retain.SUMMARY
        ),
        spec=ScheduleSpec(cron_expressions=[_DAILY], jitter=timedelta(minutes=10)),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(days=1)),
    )


def _schedule(tenant: str, when: str, queue: str) -> Schedule:
    every = interval(when)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            NAME,
            Order(tenant),
            id=schedule_id(tenant),
            task_queue=queue,
            static_summary=f"reconciliation · {tenant}",
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, tenant)]),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every)])
        if every is not None
        else ScheduleSpec(cron_expressions=[when]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_LATE),
    )


async def _set(client: Client, id_: str, schedule: Schedule, queue: str) -> None:
    def change(found: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule.state = found.description.schedule.state  # an operator may have paused it
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(id_, schedule, memo={_OURS: queue})
        log.info("schedule %s made", id_)
    except ScheduleAlreadyRunningError:
        if await _is_ours(client, id_, queue):
            await client.get_schedule_handle(id_).update(change)
        else:
            log.warning("schedule %s is of another task queue: remove it, if nobody polls that any more", id_)


async def _is_ours(client: Client, id_: str, queue: str) -> bool:
    try:
        found = await client.get_schedule_handle(id_).describe()
    except RPCError as wrong:
        if wrong.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return await found.memo_value(_OURS, "") == queue


async def _remove(client: Client, id_: str) -> None:
    try:
        await client.get_schedule_handle(id_).delete()
        log.info("schedule %s removed", id_)
    except RPCError as wrong:
        if wrong.status is not RPCStatusCode.NOT_FOUND:
            raise
