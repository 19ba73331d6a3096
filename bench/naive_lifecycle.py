"""The naive workflow: one per user, every hook a signal that carries it, one activity for each."""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow

TASK_QUEUE = "naive"
TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True)
class Delivery:
    """One hook, as the signal and the activities carry it."""

    tenant: str
    hook: str
    body: dict[str, Any]


def tenant_activities(delivery: Delivery) -> list[str]:
    """The same three per joiner as in bench/activities: two on creation, one for one of the applications."""
    if delivery.hook == "postCreateUser":
        return ["bench_mailbox", "bench_badge"]
    if delivery.hook == "postProvision" and delivery.body["request"]["applicationId"] == "hr":
        return ["bench_ticket"]
    return []


@workflow.defn
class NaiveLifecycle:
    """Takes signals as they come and runs their activities one after the other, for as long as the user exists."""

    @workflow.init
    def __init__(self, login: str) -> None:
        del login
        self.waiting: deque[Delivery] = deque()

    @workflow.signal
    def hook(self, delivery: Delivery) -> None:
        """Something happened to the user."""
        self.waiting.append(delivery)

    @workflow.run
    async def run(self, login: str) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: bool(self.waiting))
            delivery = self.waiting.popleft()
            await workflow.execute_activity("record", delivery, start_to_close_timeout=TIMEOUT)
            for name in tenant_activities(delivery):
                await workflow.execute_activity(name, delivery, start_to_close_timeout=TIMEOUT)
        workflow.continue_as_new(login)
