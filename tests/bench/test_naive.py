"""The naive workflow, on a real server: a row per hook, and the tenant's three activities."""

import asyncio
import uuid
from collections import Counter
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from bench.naive_lifecycle import Delivery, NaiveLifecycle
from bench.traffic import HOOKS_PER_JOINER, TENANT, joiner, person


async def test_a_joiner_causes_twelve_records_and_three_effects(client: Client) -> None:
    ran: list[tuple[str, str]] = []
    over = asyncio.Event()

    def named(name: str) -> Any:
        @activity.defn(name=name)
        async def run(delivery: Delivery) -> None:
            ran.append((name, delivery.hook))
            if len(ran) == HOOKS_PER_JOINER + 3:
                over.set()

        return run

    names = ("record", "bench_mailbox", "bench_badge", "bench_ticket")
    queue = f"naive-{uuid.uuid4().hex[:8]}"
    hooks = joiner(person(1, 1))
    async with Worker(
        client, task_queue=queue, workflows=[NaiveLifecycle], activities=[named(name) for name in names]
    ):
        for hook, body in hooks:
            await client.start_workflow(
                NaiveLifecycle.run,
                "j",
                id=queue,
                task_queue=queue,
                start_signal="hook",
                start_signal_args=[Delivery(TENANT, hook, body)],
            )
        async with asyncio.timeout(20):
            await over.wait()
        await client.get_workflow_handle(queue).terminate()
    assert Counter(name for name, _ in ran) == {
        "record": HOOKS_PER_JOINER,
        "bench_mailbox": 1,
        "bench_badge": 1,
        "bench_ticket": 1,
    }
    assert [hook for name, hook in ran if name == "record"] == [hook for hook, _ in hooks]
