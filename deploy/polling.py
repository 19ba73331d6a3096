"""The worker's health check: Temporal heard this container's worker ask for work a moment ago."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

import settings
from runtime.client import connect, identity

_RECENTLY = timedelta(minutes=2)
"""A poll with nothing to do lasts a minute (the server's matching.longPollExpirationInterval)."""


async def heard(name: str, task_queue: str) -> datetime | None:
    """When the worker of that name last asked for workflow tasks; None if Temporal does not know it."""
    client = await connect(lazy=False)
    about = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    asked = [poller.last_access_time for poller in about.pollers if poller.identity == name]
    return max((time.ToDatetime(UTC) for time in asked), default=None)


def main(pid: int = 1) -> int:
    """0 while the worker polls, 1 if not. It is the container's first process."""
    name = identity("worker", pid)
    try:
        last = asyncio.run(heard(name, settings.load().temporal.task_queue))
    except (RPCError, RuntimeError, OSError) as wrong:
        print(f"Temporal is out of reach ({type(wrong).__name__})", file=sys.stderr)
        return 1
    if last is None or datetime.now(UTC) - last > _RECENTLY:
        print(f"the last poll of {name} was at {last or 'no time known'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
