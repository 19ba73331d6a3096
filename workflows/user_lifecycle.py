"""One person's lifecycle: rung by their deliveries, it takes the unsettled work from Postgres and runs it in lanes."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from ledger.plan import Item, Job, Plan, Settlement
    from workflows.lanes import Lane, Lanes

NAME = "UserLifecycle"
SETTLED_PER_RUN = 500
"""After so many settled, the run continues as new, so that histories stay bounded."""

_FOREVER = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))
_NEAR = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)


@dataclass(frozen=True)
class Start:
    """Who the run is for. Ids only."""

    subject: str


@workflow.defn(name=NAME)
class UserLifecycle:
    """A cache of Postgres: any run can start from nothing, and a lost, doubled or late signal changes nothing."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        self.start = start
        self.rings = 0
        self.lanes = Lanes()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.gave_up: list[str] = []
        self.stopping = False

    @workflow.signal
    def hook(self, seq: int, name: str) -> None:
        """The doorbell: something of the person's was stored."""
        self.rings += 1

    @workflow.run
    async def run(self, start: Start) -> None:
        while True:
            rung = self.rings
            self.lanes.just_settled.clear()
            for lane in self.lanes.admit(await self._take()):
                self._run_lane(lane)
            self._show()
            # No await between the last look and the return: a ring can not slip in between.
            if self.lanes.idle and self.rings == rung:
                break
            await workflow.wait_condition(lambda rung=rung: self._look(rung))
            if self._long_enough():
                await self._drain()
                workflow.continue_as_new(start)
        if self.gave_up:
            raise ApplicationError("; ".join(self.gave_up[:5]), type="GaveUp", non_retryable=True)

    def _look(self, rung: int) -> bool:
        """Whether the main loop has something to do. A bug in a lane fails the workflow task, visibly."""
        for name, task in list(self.tasks.items()):
            if task.done():
                task.result()
                del self.tasks[name]
        return self.rings > rung or self.lanes.idle or self._long_enough()

    def _long_enough(self) -> bool:
        return self.lanes.settled >= SETTLED_PER_RUN or workflow.info().is_continue_as_new_suggested()

    async def _take(self) -> list[Item]:
        return await _near_store("take", self.start.subject, list[Item], None)

    async def _drain(self) -> None:
        """Hands out nothing more and waits until the lanes stand still."""
        self.stopping = True
        for task in self.tasks.values():
            task.cancel()
        await workflow.wait_condition(lambda: all(task.done() for task in self.tasks.values()))

    def _run_lane(self, lane: Lane) -> None:
        if lane.name not in self.tasks or self.tasks[lane.name].done():
            self.tasks[lane.name] = asyncio.create_task(self._lane(lane))

    async def _lane(self, lane: Lane) -> None:
        while lane.waiting and not self.stopping:
            batch = self.lanes.next_batch(lane)
            if not batch:
                await workflow.wait_condition(lambda: self.lanes.ready(lane))
                continue
            self._show()
            await self._execute(lane, batch)
            self._show()

    async def _execute(self, lane: Lane, batch: list[Item]) -> None:
        plan = Plan.from_row(batch[0].plan)
        job = Job(self.start.subject, [i.ref for i in batch])
        try:
            settlements = await (
                self._keep_books(job, batch) if plan.bookkeeping else self._call(job, batch, plan)
            )
        except FailureError as ended:
            await self._give_up(lane, batch, plan, ended)
            return
        self.lanes.close(lane, batch)
        failed = [f"{s.ref.activity}: entry {s.entry}" for s in settlements if s.failed]
        self.gave_up += failed
        if failed and plan.hold:
            self.lanes.hold(lane)

    async def _keep_books(self, job: Job, batch: list[Item]) -> list[Settlement]:
        return await _near_store("bookkeeping", job, list[Settlement], _summary(batch))

    async def _call(self, job: Job, batch: list[Item], plan: Plan) -> list[Settlement]:
        return await workflow.execute_activity(
            batch[0].ref.activity,
            job,
            result_type=list[Settlement],
            start_to_close_timeout=timedelta(seconds=plan.timeout),
            schedule_to_close_timeout=self._time_left(batch[0], plan),
            heartbeat_timeout=timedelta(seconds=plan.heartbeat * 2) if plan.heartbeat else None,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=plan.first_wait),
                backoff_coefficient=plan.factor,
                maximum_interval=timedelta(seconds=plan.longest_wait),
            ),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=_summary(batch),
        )

    async def _give_up(self, lane: Lane, batch: list[Item], plan: Plan, ended: FailureError) -> None:
        """bind settles what it saw fail; what it could not see is settled here."""
        cause = _cause(ended)
        if isinstance(cause, ApplicationError) and cause.type == "Batch":
            self.lanes.put_back(lane, batch)
            return
        if isinstance(cause, asyncio.CancelledError | CancelledError) or self.stopping:
            raise ended
        if isinstance(cause, ApplicationError) and cause.non_retryable:
            words = f"{batch[0].ref.activity} gave up ({cause.type}, {cause.message})"
        else:
            error = "timed out" if isinstance(cause, TimedOut) else "ended unseen"
            settlements = await workflow.execute_activity(
                "settle",
                args=[Job(self.start.subject, [i.ref for i in batch]), error, plan.hold],
                result_type=list[Settlement],
                start_to_close_timeout=timedelta(seconds=10),
                retry_policy=_FOREVER,
                summary=f"{batch[0].ref.activity} {error}",
            )
            entry = next((s.entry for s in settlements if s.entry is not None), None)
            words = f"{batch[0].ref.activity} gave up ({error}, entry {entry})"
        self.gave_up.append(words)
        self.lanes.close(lane, batch)
        if plan.hold:
            self.lanes.hold(lane)

    def _time_left(self, item: Item, plan: Plan) -> timedelta:
        """Until the absolute give-up time, which a new run does not start again."""
        if item.give_up_at is None:
            return timedelta(seconds=plan.give_up)
        left = item.give_up_at - workflow.now().timestamp()
        return timedelta(seconds=max(left, plan.timeout))

    def _show(self) -> None:
        workflow.set_current_details(self.lanes.table())


async def _near_store(name: str, argument: object, kind: type[list[Any]], summary: str | None) -> list[Any]:
    """What only reads or writes the store: locally, in the workflow task itself, which costs the server nothing.

    While the store is lost it becomes a regular activity: retried locally it would fill the history.
    """
    try:
        return await workflow.execute_local_activity(
            name,
            argument,
            result_type=kind,
            start_to_close_timeout=timedelta(seconds=5),
            schedule_to_close_timeout=timedelta(seconds=10),
            retry_policy=_NEAR,
            summary=summary,
        )
    except FailureError as ended:
        if not _may_be_lost(_cause(ended)):
            raise
        return await workflow.execute_activity(
            name,
            argument,
            result_type=kind,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=_FOREVER,
            summary=summary or f"{name}, while the store is out of reach",
        )


def _cause(ended: FailureError) -> BaseException | None:
    """What ended an activity: a local one's own failure comes bare, a regular one's in an ActivityError."""
    return ended.cause if isinstance(ended, ActivityError) else ended


def _may_be_lost(cause: BaseException | None) -> bool:
    """Whether the store may be out of reach: it was neither a verdict of the activity's own nor a cancellation."""
    if isinstance(cause, ApplicationError):
        return not cause.non_retryable
    return not isinstance(cause, asyncio.CancelledError | CancelledError)


def _summary(batch: list[Item]) -> str:
    """What the call is about, for the Temporal UI: names of activities and hooks, never of people."""
    if Plan.from_row(batch[0].plan).bookkeeping:
        counts = Counter(i.ref.activity for i in batch)
        return ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
    first = batch[0]
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return f"{first.hook}{f' → {first.application}' if first.application else ''}{more}"[:190]
