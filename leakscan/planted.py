"""One sentinel planted in every kind of place: a scan that does not find them all there is blind, and says so."""

import asyncio
import subprocess
import sys
import time
from datetime import timedelta

import httpx
from temporalio.client import Client

from dev import processes
from dev.looking import answers
from leakscan.sentinels import Sentinel
from leakscan.stack import ScanError, Stack
from leakscan.story import Told

KINDS = frozenset(
    {
        "answers",
        "data files",
        "database dumps",
        "logs",
        "metrics",
        "other files",
        "process arguments",
        "process environment",
        "roles",
        "spool",
        "Temporal's descriptions",
        "Temporal's files",
        "Temporal's histories",
        "traces",
        "vault",
        "WAL",
    }
)
"""Every kind of place that a scan must have looked into."""


def in_the_spool(stack: Stack, planted: Sentinel) -> None:
    """Beside the journal."""
    (stack.home / "spool" / "planted").write_text(planted.value)


def everywhere_else(stack: Stack, planted: Sentinel, told: Told) -> None:
    """In all other kinds of places. Its processes end with the stack."""
    stack.postgres.sql(
        f"CREATE TABLE planted (t text); INSERT INTO planted VALUES ('{planted.value}'); CHECKPOINT;"
        f"COMMENT ON ROLE postgres IS '{planted.value}';",
        stack.database.name,
    )
    asyncio.run(_in_temporal(stack, planted))
    told.answers["planted"] = planted.value.encode()
    (stack.home / "planted.txt").write_text(planted.value)
    # Not as in the file before: of files that are alike one is looked through.
    (stack.home / "vault" / "planted").write_text(f"vault {planted.value}")
    with (stack.home / "logs" / "api.log").open("a") as log:
        log.write(planted.value + "\n")
    sleep = "import time; time.sleep(600)"
    stack.running["planted"] = subprocess.Popen(
        [sys.executable, "-c", sleep, planted.value], env=stack.environment | {"PLANTED": planted.value}
    )


def in_the_metrics(stack: Stack, planted: Sentinel, within: float = 10.0) -> None:
    """On one listener more. Its process ends with the stack."""
    folder, port = stack.home / "metrics", processes.free_port()
    folder.mkdir()
    (folder / "metrics").write_text(f'planted{{of="{planted.value}"}} 1\n')
    command = [
        *(sys.executable, "-m", "http.server", str(port)),
        "--bind",
        "127.0.0.1",
        "--directory",
        folder,
    ]
    log = stack.home / "logs" / "planted.log"
    stack.running["planted metrics"] = processes.spawn(command, log=log, env=stack.environment, cwd=folder)
    stack.metrics["planted"] = port
    until = time.monotonic() + within
    while not answers(port, "/metrics"):
        if time.monotonic() > until:
            raise ScanError("the metrics that are planted cannot be read")
        time.sleep(0.1)


def in_the_traces(endpoint: str, planted: Sentinel) -> None:
    """As if a span held it."""
    httpx.post(endpoint, content=planted.value.encode(), trust_env=False).raise_for_status()


async def _in_temporal(stack: Stack, planted: Sentinel) -> None:
    client = await Client.connect(stack.temporal.address, namespace=stack.temporal.namespace)
    await client.start_workflow(
        "Planted",
        planted.value,
        id="planted",
        task_queue="nobody",
        memo={"planted": planted.value},
        execution_timeout=timedelta(minutes=10),
    )
