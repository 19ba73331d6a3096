"""Rings for unsettled work that nobody rang for: after a crash, a lost signal, a terminated run, or when its time comes."""

import asyncio
import logging
import time
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from ledger.engine import Engine, EngineErrors
from ledger.incidents import tend
from ledger.operate import Order
from ledger.sweep import Unrung, find_unrung, note_rung, only_sweeper, tidy
from runtime.bell import Ring, ring
from runtime.deeds import order
from runtime.erasing import Impossible, carry_out
from runtime.pace import pause
from runtime.vault import open_folder
from runtime.vault.keeping import destroy_due
from settings import Settings

log = logging.getLogger(__name__)

_MOST = 500
_AT_ONCE = 16
_ERASURES_EVERY = 60.0
"""Seconds between looks at who is to be erased, and which keys are to be destroyed: neither is due to the minute."""


class Sweep:
    """One round every `sweep.interval`; safe with any number of workers."""

    def __init__(self, engine: Engine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._settings = settings
        self._vault = open_folder(settings)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._looked_for = 0.0
        self._destroying: asyncio.Task[None] | None = None
        self.swept_at = time.monotonic()
        """When a round last went through, by the monotonic clock."""
        self.vault_trouble = ""
        """Why not all of the vault's keys whose time is over are destroyed; empty while they are."""

    async def run(self) -> None:
        """Sweeps until cancelled; a lost store or server only makes a round fail."""
        looked = 0.0
        while True:
            await asyncio.sleep(pause(self._settings.sweep.interval, self._looked_for))
            try:
                await self.round()
                self.swept_at = time.monotonic()
            except EngineErrors as wrong:
                log.warning("sweep put off: %s", type(wrong).__name__)
            if time.monotonic() - looked >= _ERASURES_EVERY:
                looked = time.monotonic()
                await self.erase_due()
                self.destroy_due()

    def destroy_due(self) -> None:
        """Destroys keys whose time is over, beside the sweep: a disk that hangs stops neither it nor more than one look."""
        if self._destroying is not None and not self._destroying.done():
            self.vault_trouble = "its folder does not answer"
            log.error("vault: its folder does not answer: no key is destroyed")
            return
        self._destroying = asyncio.create_task(self._destroy())

    async def _destroy(self) -> None:
        self.vault_trouble = await destroy_due(self._vault, "worker")

    async def erase_due(self) -> None:
        """Erases whoever waited for it and may go now; without the keeper's role, says that they wait."""
        try:
            if done := await carry_out(self._settings, self._client):
                log.info("%d erased as planned", done)
        except Impossible as wrong:
            log.warning("planned erasures wait: %s", wrong)

    async def round(self) -> int:
        """One round: gives how many people were rung."""
        sweep = self._settings.sweep
        await self._tend()
        async with self._engine.begin() as connection:
            if not await only_sweeper(connection):
                return 0
            await tidy(connection)
            began = time.monotonic()
            try:
                found = await find_unrung(connection, unrung=sweep.unrung, quiet=sweep.quiet, most=_MOST)
            finally:
                self._looked_for = time.monotonic() - began
        rung = await asyncio.gather(*(self._ring(person) for person in found))
        told = [person.subject for person, ok in zip(found, rung, strict=True) if ok]
        if told:
            async with self._engine.begin() as connection:
                await note_rung(connection, told)
            log.info("sweep rang for %d", len(told))
        return len(told)

    async def _tend(self) -> None:
        """Incidents: closes those that have healed, tries those that are open."""
        breaker = self._settings.breaker
        async with self._engine.begin() as connection:
            if await only_sweeper(connection):
                await tend(connection, breaker.probe_every, breaker.rate, _over)

    async def _ring(self, person: Unrung) -> bool:
        """Quiet work whose run still lives is only noted: a signal every few minutes would fill its history."""
        async with self._slots:
            try:
                if person.quiet and await self._runs(person.workflow_id):
                    return True
                await ring(
                    self._client,
                    self._settings.temporal,
                    Ring(
                        person.subject,
                        person.workflow_id,
                        person.tenant,
                        person.login,
                        person.seq,
                        person.hook,
                    ),
                )
            except (RPCError, RuntimeError, OSError):
                return False
        return True

    async def _runs(self, workflow_id: str) -> bool:
        try:
            handle = self._client.get_workflow_handle(workflow_id)
            state = await handle.describe(rpc_timeout=timedelta(seconds=5))
        except RPCError as wrong:
            if wrong.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return state.status is WorkflowExecutionStatus.RUNNING


def _over(tenant: str) -> Order:
    return order("incident closed", "hookledger", "a probe went well", tenant=tenant)
