"""The naive Temporal design: each hook signals its user's workflow, which runs an activity that inserts a row."""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from fastapi import FastAPI, Request
from temporalio import activity
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

from bench.bare import SCHEMA, Json, Pool, Store, Tenant, clash, serve
from bench.naive_lifecycle import TASK_QUEUE, Delivery, NaiveLifecycle

NAIVE_SCHEMA = (
    SCHEMA
    + """
ALTER TABLE deliveries ALTER COLUMN received_at SET DEFAULT clock_timestamp();
CREATE TABLE effects (
    activity text NOT NULL,
    login text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
)
RECORD = "INSERT INTO deliveries (tenant, hook, login, body) VALUES ($1, $2, $3, $4)"
EFFECT = "INSERT INTO effects (activity, login) VALUES ($1, $2)"


async def connect() -> Client:
    """A client as TEMPORAL_* say."""
    options: Any = ClientConfig.load_client_connect_config()
    return await Client.connect(**options)


def open_pool() -> Any:
    """An asyncpg pool, as a context manager."""
    return cast("Any", asyncpg).create_pool(os.environ["BARE_DATABASE_URL"], min_size=10)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """One pool and one Temporal client per process."""
    app.state.temporal = await connect()
    async with open_pool() as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/webhook/{hook}")
async def receive(hook: str, payload: Json, tenant: Tenant, pool: Store, request: Request) -> Json:
    """Answers once Temporal has the signal."""
    inner = payload["request"]
    user = inner["user"]
    code = await clash(pool, tenant, user) if hook == "validateUser" else None
    client: Client = request.app.state.temporal
    await client.start_workflow(
        NaiveLifecycle.run,
        user["login"],
        id=f"naive:{tenant}:{user['login']}",
        task_queue=TASK_QUEUE,
        start_signal="hook",
        start_signal_args=[Delivery(tenant, hook, payload)],
    )
    if code:
        return {"response": {"error": True, "message": code}}
    if hook == "policyMap":
        return {
            "response": {
                "mappedValue": user.get(inner.get("cymmetrifield")) or inner.get("defaultValue") or ""
            }
        }
    return {"response": {"data": user} if hook in ("validateUser", "preCreateUser") else {}}


def activities(pool: Pool) -> list[Callable[..., Awaitable[None]]]:
    """One for the record, and the tenant's three."""

    def login(delivery: Delivery) -> str:
        return delivery.body["request"]["user"]["login"]

    @activity.defn
    async def record(delivery: Delivery) -> None:
        body = json.dumps(delivery.body)
        await pool.execute(RECORD, delivery.tenant, delivery.hook, login(delivery), body)

    @activity.defn
    async def bench_mailbox(delivery: Delivery) -> None:
        await pool.execute(EFFECT, "bench_mailbox", login(delivery))

    @activity.defn
    async def bench_badge(delivery: Delivery) -> None:
        await pool.execute(EFFECT, "bench_badge", login(delivery))

    @activity.defn
    async def bench_ticket(delivery: Delivery) -> None:
        await pool.execute(EFFECT, "bench_ticket", login(delivery))

    return [record, bench_mailbox, bench_badge, bench_ticket]


async def work() -> None:
    """Runs the worker until the process is told to end."""
    client = await connect()
    async with open_pool() as pool:
        await Worker(
            client, task_queue=TASK_QUEUE, workflows=[NaiveLifecycle], activities=activities(pool)
        ).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.naive", description=__doc__)
    parser.add_argument("--port", type=int, help="runs the api on this port; without it, the worker")
    options = parser.parse_args()
    if options.port is None:
        asyncio.run(work())
    else:
        serve(app, options.port)
