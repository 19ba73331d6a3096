"""Starts the watch's long-lived run, and looks again and again whether it still runs."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from settings import Temporal
from workflows.watch import NAME, SUMMARY

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds: after so long at most, a run that was ended by hand has a successor."""
_RPC_TIMEOUT = timedelta(seconds=5)


def watch_id(task_queue: str) -> str:
    """One run per task queue of a namespace."""
    return f"watch:{task_queue}"


async def start_watch(client: Client, settings: Temporal) -> None:
    """Starts the run if there is none; with any number of workers there is one. Raises RPCError."""
    await client.start_workflow(
        NAME,
        id=watch_id(settings.task_queue),
        task_queue=settings.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=SUMMARY,
        rpc_timeout=_RPC_TIMEOUT,
    )


async def keep_watch(client: Client, settings: Temporal, again: float = AGAIN) -> None:
    """Starts it, and again whenever it is found ended, until cancelled."""
    while True:
        try:
            await start_watch(client, settings)
        except (RPCError, RuntimeError, OSError) as wrong:
            log.warning("watch not started, will be tried again: %s", type(wrong).__name__)
        await asyncio.sleep(again)
