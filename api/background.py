"""What an api does beside answering: notes that need not be waited for, rules' texts, and the numbers that rules ask."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

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
from runtime.os_user import os_user
from runtime.version import code_version

log = logging.getLogger(__name__)

_REFRESH = 5.0
"""Seconds between two looks at the numbers and tables of the store that rules ask for."""
_LAST_SECONDS = 5.0
"""For what waits to be recorded when the process ends."""

T = TypeVar("T")


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
            await _step("rules' texts not kept", self._keep_rules)
            await _step("rules not refreshed", self._refresh)
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
        spooled = await _step("answers given without the store wait on", self._replay)
        return bool(await _step("answers given without the store wait on", self._recall) or spooled)

    async def _replay(self) -> bool:
        return self._replayer is not None and await self._replayer.replay_some()

    async def _recall(self) -> bool:
        await self._recorder.record_some()
        return bool(self._receiver.unrecorded)

    async def write_notes(self) -> None:
        """Who was rung, who was turned away. Losing it costs a needless ring."""
        rung, refused = self._bell.rung(), self._receiver.refusals.drain()
        if rung:
            await _step("notes lost", partial(note_rung_by_pool, self._pool, rung))
        if refused:
            await _step("notes lost", partial(write_refusals, self._pool, refused))

    async def _keep_rules(self) -> None:
        for tenant, policy in self._receiver.policies.items():
            if self._loaded.get(tenant) != policy.hash:
                version = code_version(tuple(registry()))
                await note_loaded(self._pool, tenant, policy.hash, os_user(), version)
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


async def _step(words: str, deed: Callable[[], Awaitable[T]]) -> T | None:
    """What the deed gives, None if it went wrong: one of them must not keep the others up. The log has no error's text."""
    try:
        return await deed()
    except StoreErrors as wrong:
        log.warning("%s: %s", words, type(wrong).__name__)
    except Exception as wrong:
        log.error("%s: fault %s", words, type(wrong).__name__)
    return None
