"""Puts together what is seen of one process, for as long as it works."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from prometheus_client import Info
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from ledger.figures import Figures
from runtime.beside import beside
from runtime.seeing.listener import Checks, Listener
from runtime.seeing.meters import Meters
from runtime.seeing.pulse import Pulse
from runtime.seeing.standing import Standing
from settings.metrics import Metrics, Process

log = logging.getLogger(__name__)


class Seen(Protocol):
    """What is seen of one kind of process."""

    @property
    def checks(self) -> Checks:
        """What it needs to be ready, beside the store."""
        ...

    async def reach(self) -> None:
        """Asks whether the store answers; raises whatever a lost store raises."""
        ...

    async def read(self) -> Figures | None:
        """Asks the store for figures; None where a worker tells them."""
        ...

    def goes_on(self) -> bool:
        """Whether it does its work though the store is out of reach."""
        ...

    def register(self, meters: Meters) -> None:
        """Adds its gauges."""
        ...

    async def run(self) -> None:
        """Looks at what is beside the store, until cancelled."""
        ...


@asynccontextmanager
async def watched(
    metrics: Metrics,
    process: Process,
    version: str,
    meters: Meters,
    seen: Seen,
) -> AsyncGenerator[int]:
    """Listens where `[metrics]` says; gives the port, 0 for none. That a port is taken keeps nobody from working."""
    port = metrics.port(process)
    if not port:
        yield 0
        return
    pulse, standing = Pulse(), Standing(seen.reach, seen.read, metrics.every)
    meters.registry.register(standing)
    meters.gauge("loop_lag_seconds", "The longest that the event loop let anything wait lately.", pulse.lag)
    seen.register(meters)

    def store() -> str:
        return "" if seen.goes_on() else standing.out_of_reach()

    ProcessCollector(registry=meters.registry)
    PlatformCollector(registry=meters.registry)
    Info("hookledger_build", "Which code runs.", registry=meters.registry).info(
        {"version": version, "process": process}
    )
    try:
        listener = Listener(
            metrics.host,
            port,
            meters.registry,
            {"loop": pulse.stuck},
            {"store": store, **seen.checks},
        )
    except OSError as wrong:
        log.warning("no metrics on port %d: %s", port, wrong.strerror or type(wrong).__name__)
        yield 0
        return
    log.info("metrics on http://%s:%d/metrics", metrics.host, listener.port)
    try:
        async with beside({"pulse": pulse.beat, "standing": standing.run, "looks": seen.run}):
            yield listener.port
    finally:
        await asyncio.to_thread(listener.close)
