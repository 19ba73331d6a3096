"""What an api does beside answering: notes that need not be waited for, rules' texts, and the numbers that rules ask."""

import asyncio
import contextlib
import getpass
import logging
import time
from collections.abc import Mapping

from activities._registry import registry
from api.late import Recorder
from api.receive import Receiver
from api.replaying import Replayer
from ledger.asked import keep_rules
from ledger.engine import Pool, StoreErrors
from ledger.refusals import write_refusals
from ledger.rules_loaded import note_loaded
from ledger.sweep import note_rung_by_pool
from rules.policy import Policy
from rules.refreshing import refresh
from runtime.bell import Bell
from runtime.version import code_version

log = logging.getLogger(__name__)

_REFRESH = 5.0
"""Seconds between two looks at the numbers and tables of the store that rules ask for."""
_LAST_SECONDS = 5.0
"""For what waits to be recorded when the process ends."""


class Background:
    """One per process. A lost store only delays what it does."""

    def __init__(self, receiver: Receiver, bell: Bell, pool: Pool) -> None:
        self._receiver = receiver
        self._bell = bell
        self._pool = pool
        self._recorder = Recorder(receiver, pool)
        self._replayer = Replayer(receiver, self._recorder, receiver.spool, pool) if receiver.spool else None
        self._kept: set[tuple[str, str]] = set()
        self._loaded: dict[str, str] = {}
        self._refreshed: Mapping[str, Policy] | None = None
        self._refresh_at = 0.0

    async def run(self) -> None:
        """Until cancelled. What new rules need is fetched at once."""
        while True:
            self._receiver.unrecorded.name_new()
            await self.write_notes()
            try:
                await self._keep_rules()
                await self._refresh()
            except StoreErrors as wrong:
                log.warning("rules not refreshed: %s", type(wrong).__name__)
            if not await self._record():
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Records what can still be recorded; the log names what cannot."""
        await self.write_notes()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while await self._record():
                    pass
        self._receiver.unrecorded.give_up()

    async def _record(self) -> bool:
        """Whether more answers wait that could be recorded now."""
        more = False
        try:
            if self._replayer is not None:
                more = await self._replayer.replay_some()
            await self._recorder.record_some()
        except StoreErrors as wrong:
            log.warning("answers given without the store wait on: %s", type(wrong).__name__)
            return False
        return more or bool(self._receiver.unrecorded)

    async def write_notes(self) -> None:
        """Who was rung, who was turned away. Losing it costs a needless ring."""
        rung, refused = self._bell.rung(), self._receiver.refusals.drain()
        try:
            if rung:
                await note_rung_by_pool(self._pool, rung)
            if refused:
                await write_refusals(self._pool, refused)
        except StoreErrors as wrong:
            log.warning("notes lost: %s", type(wrong).__name__)

    async def _keep_rules(self) -> None:
        for tenant, policy in self._receiver.policies.items():
            if self._loaded.get(tenant) != policy.hash:
                version = code_version(tuple(registry()))
                await note_loaded(self._pool, tenant, policy.hash, f"os:{getpass.getuser()}", version)
                self._loaded[tenant] = policy.hash
            if (tenant, policy.hash) not in self._kept:
                await keep_rules(self._pool, tenant, policy.hash, policy.text)
                self._kept.add((tenant, policy.hash))

    async def _refresh(self) -> None:
        policies = self._receiver.policies
        if policies is self._refreshed and time.monotonic() < self._refresh_at:
            return
        for policy in policies.values():
            await refresh(self._pool, policy)
        self._refreshed = policies
        self._refresh_at = time.monotonic() + _REFRESH
