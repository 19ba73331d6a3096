"""Asks the store how it stands, now and then, and keeps the answer: a scrape never waits for a store."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from ledger.figures import Figures, why_away
from runtime.pace import pause

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds for an answer of the store."""
_AWAY = "out of reach, or not migrated"

Reach = Callable[[], Awaitable[None]]
"""Asks whether the store answers; raises whatever a lost store raises."""
Read = Callable[[], Awaitable[Figures | None]]
"""Asks for the figures, which takes longer the more there is; None where they are not wanted."""


class Standing:
    """What the store last said. While it is out of reach nothing is told but that: old figures would be lies.

    Figures that do not come in time are not told either, and say nothing about whether the store is there.
    """

    def __init__(self, reach: Reach, read: Read, every: float) -> None:
        self._reach = reach
        self._read = read
        self._every = every
        self._due = 0.0
        self._figures: Figures | None = None
        self._answered: float | None = None
        self._up = False
        self._words = _AWAY

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._reach()
                self._up, self._answered = True, time.monotonic()
            except Exception as wrong:  # whatever it is: there is no answer, or not the one that is needed
                self._up, self._figures, self._words = False, None, why_away(wrong, _AWAY)
            if self._up and time.monotonic() >= self._due:
                await self._look()
            await asyncio.sleep(self._every)

    async def _look(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                self._figures = await self._read()
        except Exception as wrong:
            self._figures = None
            log.warning("figures for metrics put off: %s", type(wrong).__name__)
        finally:
            self._due = began + pause(self._every, time.monotonic() - began)

    def out_of_reach(self) -> str:
        """What is wrong, in words; empty while the store answers."""
        late = self._answered is None or time.monotonic() - self._answered > 2 * (self._every + PATIENCE)
        if not self._up:
            return self._words
        return _AWAY if late else ""

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield GaugeMetricFamily(
            "hookledger_store_up",
            "Whether the store answers, and may be written to.",
            0 if self.out_of_reach() else 1,
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
                "Since the ledger was last sealed, at first since its first entry; NaN while it is empty.",
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
