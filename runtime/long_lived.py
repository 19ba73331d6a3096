"""The workflows of which one run is always there: started, and looked at again and again whether they still run."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from settings import Temporal
from workflows import seal, watch

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds: after so long at most, a run that was ended by hand has a successor."""
_RPC_TIMEOUT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class LongLived:
    """A workflow of which one run per task queue of a namespace is always there. `prefix` begins its id."""

    name: str
    prefix: str
    summary: str

    def id(self, task_queue: str) -> str:
        """The run's workflow id."""
        return f"{self.prefix}:{task_queue}"

    async def start(self, client: Client, settings: Temporal) -> None:
        """Starts the run if there is none; with any number of workers there is one. Raises RPCError."""
        await client.start_workflow(
            self.name,
            id=self.id(settings.task_queue),
            task_queue=settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=self.summary,
            rpc_timeout=_RPC_TIMEOUT,
        )

    async def keep(self, client: Client, settings: Temporal, again: float = AGAIN) -> None:
        """Starts it, and again whenever it is found ended, until cancelled."""
        while True:
            try:
                await self.start(client, settings)
            except (RPCError, RuntimeError, OSError) as wrong:
                log.warning("%s not started, will be tried again: %s", self.prefix, type(wrong).__name__)
            await asyncio.sleep(again)


WATCH = LongLived(watch.NAME, "watch", watch.SUMMARY)
SEAL = LongLived(seal.NAME, "seal", seal.SUMMARY)
