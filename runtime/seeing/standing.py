"""Asks the store how it stands, now and then, and keeps the answer: a scrape never waits for a store."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from ledger.figures import Figures
from runtime.pace import pause

_PATIENCE = 2.0
"""Seconds for the store's answer."""

Ask = Callable[[], Awaitable[Figures | None]]
"""Asks the store; None where only whether it answers is wanted. Raises whatever a lost store raises."""


class Standing:
    """What the store last said. While it is out of reach nothing is told but that: old figures would be lies."""

    def __init__(self, ask: Ask, every: float) -> None:
        self._ask = ask
        self._every = every
        self._pause = every
        self._figures: Figures | None = None
        self._answered: float | None = None
        self._up = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            asked = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE):
                    self._figures = await self._ask()
                self._up, self._answered = True, time.monotonic()
                self._pause = pause(self._every, self._answered - asked)
            except Exception:  # whatever it is: there is no answer
                self._up, self._figures, self._pause = False, None, self._every
            await asyncio.sleep(self._pause)

    def out_of_reach(self) -> str:
        """What is wrong, in words; empty while the store answers."""
        late = self._answered is None or time.monotonic() - self._answered > 2 * self._pause + _PATIENCE
        return "" if self._up and not late else "out of reach, or not migrated"

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield GaugeMetricFamily(
            "hookledger_store_up", "Whether the store answers.", 0 if self.out_of_reach() else 1
        )
        figures = self._figures
        if figures is None:
            return
        work = GaugeMetricFamily(
            "hookledger_work",
            "Work by state: open, held, failed.",
            labels=("tenant", "activity", "state"),
        )
        for tenant, activity, state, count in figures.work:
            work.add_metric((tenant, activity, state), count)
        yield work
        open_ = GaugeMetricFamily(
            "hookledger_incidents_open",
            "Causes that fail for many people at once; none is an absent series.",
            labels=("tenant", "activity"),
        )
        for tenant, activity, count in figures.incidents:
            open_.add_metric((tenant, activity), count)
        yield open_
        for name, words, value in (
            (
                "oldest_unsettled_work_seconds",
                "For how long the oldest work that is due waits.",
                figures.oldest,
            ),
            ("lanes_held", "Lanes of people that stand still behind held work.", figures.lanes_held),
            (
                "checkpoint_age_seconds",
                "Since the ledger was last sealed; NaN before the first time.",
                figures.checkpoint_age,
            ),
            ("unsealed_entries", "Entries under no checkpoint yet.", figures.unsealed),
            ("erasures_due", "Erasures whose time has come.", figures.erasures_due),
            ("vault_secrets", "Sealed secrets that wait.", figures.vault),
            ("brakes_on", "Tenants whose removals the brake has stopped.", figures.brakes),
        ):
            yield GaugeMetricFamily(f"hookledger_{name}", words, math.nan if value is None else value)

    def describe(self) -> list[Metric]:
        """Nothing: the registry must not ask before there is an answer."""
        return []
