"""Every attempt at a delivery's work is a span of its trace, and so is its wait for a worker."""

from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from ledger.plan import Job, Settlement
from runtime.tracing.traces import Traces


class Attempts(Interceptor):
    """Of one worker. The workflow itself needs none: what it hands over names the deliveries."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Traced(next, self._traces)


class _Traced(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, traces: Traces) -> None:
        super().__init__(inner)
        self._traces = traces

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        job = input.args[0] if input.args else None
        if not isinstance(job, Job):
            return await super().execute_activity(input)
        info = activity.info()
        deliveries = {UUID(ref.delivery) for ref in job.refs}
        self._traces.waited(deliveries, "queue", info.current_attempt_scheduled_time.timestamp())
        with self._traces.of(deliveries, info.activity_type, "inside") as span:
            # Not the workflow's id: it may hold the login.
            span.note(
                hookledger__activity=info.activity_type,
                hookledger__attempt=info.attempt,
                temporal__run_id=info.workflow_run_id or "",
            )
            settled: list[Settlement] = await super().execute_activity(input)
            span.note(hookledger__outcome=",".join(sorted({s.outcome for s in settled})))
            return settled
