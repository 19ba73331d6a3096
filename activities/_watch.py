"""The activity behind the `Watch` workflow: one round over every tenant, bounded in time."""

import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from temporalio import activity as temporal

from hooks.chains import expectations
from ledger.engine import Engine, reading
from ledger.seen import Seen, TenantSeen
from ledger.watch import MOST, Expectation, Step, close, count_open, drop_overdue, judge, only_watcher
from settings import Tenant

ENOUGH = 20.0
"""Seconds after which a round leaves the rest to the next one."""
SOON = 1.0
"""Seconds until the next round when this one did not get through."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What one step looks for: silence after an intention; or, without one, what closes the tenant's gaps."""

    tenant: str
    silent: Expectation | None


class Watcher:
    """Bound to one worker's engine. `interval` in seconds; one step looks at `most` entries.

    `oversee` looks for deeds that were done in Temporal itself, and gives whether there is more to look at.
    """

    def __init__(
        self,
        engine: Engine,
        tenants: Mapping[str, Tenant],
        interval: float,
        code_version: str,
        most: int = MOST,
        oversee: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._engine = engine
        self._expected = {name: expectations(tenant.windows) for name, tenant in tenants.items()}
        self._interval = interval
        self._code_version = code_version
        self._most = most
        self._oversee = oversee

    @temporal.defn
    async def watch(self) -> Seen:
        """One round: what was silent, what came after all, what was done in Temporal itself. Safe beside other rounds."""
        enough = time.monotonic() + ENOUGH
        opened: Counter[str] = Counter()
        closed: Counter[str] = Counter()
        await self._overdue()
        searches = [_Search(name, what) for name, whats in self._expected.items() for what in (*whats, None)]
        # One step each in turn, in any order: a tenant with much to look at holds up nobody, also if time runs out.
        random.shuffle(searches)
        left = deque(searches)
        while left and time.monotonic() < enough:
            search = left.popleft()
            step = await self._step(search)
            (opened if search.silent else closed)[search.tenant] += step.gaps
            if step.full:
                left.append(search)
        behind = await self._oversee() if self._oversee else False
        async with reading(self._engine) as connection:
            tenants = [
                TenantSeen(name, await count_open(connection, name), opened[name], closed[name])
                for name in self._expected
            ]
        behind = behind or bool(left)
        return Seen(tenants, min(SOON, self._interval) if behind else self._interval, behind)

    async def _overdue(self) -> None:
        async with self._engine.begin() as connection:
            if await only_watcher(connection):
                await drop_overdue(connection, self._code_version)

    async def _step(self, search: _Search) -> Step:
        """In a transaction of its own; nothing if another worker is at it."""
        async with self._engine.begin() as connection:
            if not await only_watcher(connection):
                return Step(0, full=False)
            if search.silent is not None:
                return await judge(connection, search.tenant, search.silent, self._code_version, self._most)
            whats = self._expected[search.tenant]
            return await close(connection, search.tenant, whats, self._code_version, self._most)
