"""What is seen of a worker: whether it polls, reaches Temporal and sweeps; and the figures of the whole ledger."""

import asyncio
import time
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from ledger.engine import Engine, reading, statements
from ledger.figures import Figures, read_figures, takes_hooks
from runtime.seeing.listener import Checks
from runtime.seeing.meters import Meters
from runtime.sweep import Sweep

_LOOK = 5.0
"""Seconds between two looks at Temporal."""
_PATIENCE = timedelta(seconds=3)
_SWEPT_WITHIN = 60.0
"""Seconds after which a sweep that does not come back is trouble: a usual one takes milliseconds."""


class AtWork:
    """Of one worker."""

    def __init__(self, worker: Worker, sweep: Sweep, engine: Engine, client: Client) -> None:
        self._worker = worker
        self._sweep = sweep
        self._engine = engine
        self._client = client
        self._temporal_up = True
        self.checks: Checks = {
            "polling": lambda: "" if worker.is_running else "does not ask for work",
            "temporal": lambda: "" if self._temporal_up else "out of reach",
            "sweep": lambda: "" if self._quiet() < _SWEPT_WITHIN else f"none for {self._quiet():.0f} s",
        }

    def register(self, meters: Meters) -> None:
        """Adds a worker's gauges."""
        meters.gauge("sweep_age_seconds", "Since the sweep last went through.", self._quiet)
        meters.gauge("temporal_up", "Whether Temporal answers.", lambda: self._temporal_up)
        destroyed = "Whether the vault's keys whose time is over are destroyed."
        meters.gauge("vault_up", destroyed, lambda: not self._sweep.vault_trouble)
        meters.gauge("worker_polling", "Whether it asks Temporal for work.", lambda: self._worker.is_running)

    def goes_on(self) -> bool:
        """A worker needs the store."""
        return False

    async def run(self) -> None:
        """Looks at Temporal until cancelled."""
        while True:
            try:
                self._temporal_up = await self._client.service_client.check_health(timeout=_PATIENCE)
            except Exception:  # whatever it is: there is no answer
                self._temporal_up = False
            await asyncio.sleep(_LOOK)

    async def reach(self) -> None:
        """Whether the store is there, and may be written to."""
        async with reading(self._engine) as connection:
            await takes_hooks(await statements(connection))

    async def read(self) -> Figures:
        """The ledger's figures."""
        async with reading(self._engine) as connection:
            return await read_figures(await statements(connection))

    def _quiet(self) -> float:
        return time.monotonic() - self._sweep.swept_at
