"""The worker: runs lifecycles and activities, sweeps, and drains on SIGTERM."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities._bind import Wiring, bind
from activities._machinery import Machinery
from activities._registry import registry
from activities._watch import Watcher
from ledger.engine import Engine, EngineErrors, connect_store
from ledger.incidents import Limit
from ledger.releases import register
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.beside import beside
from runtime.by_hand import Overseer
from runtime.client import Hush, connect, measured_runtime
from runtime.erasures import Lacking, ListBroken, may_serve, until_compared
from runtime.long_lived import SEAL, WATCH
from runtime.reconcile.activity import Reconciler
from runtime.releasing import CannotRelease, build_id, builds, first_of_all, versioned
from runtime.retaining import Retainer
from runtime.schedules import keep_schedules
from runtime.sealer import Sealer
from runtime.seeing import watched
from runtime.seeing.at_work import AtWork
from runtime.seeing.meters import Meters
from runtime.shutdown import stop_event
from runtime.sweep import Sweep
from runtime.tracing import OFF, open_traces
from runtime.tracing.attempts import Attempts
from runtime.tracing.outgoing import Outgoing
from runtime.vault import open_vault
from runtime.version import code_version
from runtime.workflows import WORKFLOWS
from settings import Settings

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=25)
"""How long running activities may finish after SIGTERM: below the usual 30 s before SIGKILL."""
_HTTP_TIMEOUT = httpx.Timeout(10.0)
_NOT_DESCRIBED = "Worker validation failed"
"""How Temporal's library begins when it cannot ask for the namespace; it has no type for it."""


@dataclass(frozen=True)
class Parts:
    """What a running worker consists of."""

    worker: Worker
    sweep: Sweep
    engine: Engine


async def run_worker(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT, then drains. SIGHUP is for the api, which decides: here it is passed over.

    Gives the exit code: 3 where the store lacks an erasure on the list outside it (docs/erase.md).
    """
    stop, wrong = stop_event(), ""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if not await _registered(stop, settings):
        return 0
    runtime = measured_runtime(settings.metrics)
    client = await connect_patiently(stop, runtime)
    if client is None:
        return 0
    try:
        compared = await may_serve(settings)
    except (Lacking, ListBroken) as lacking:
        log.error("worker does not start: %s", lacking)
        return 3

    async def compare() -> None:
        nonlocal wrong
        if not compared and (wrong := await until_compared(settings)):
            log.error("worker ends: %s", wrong)
            stop.set()

    async with beside({"list of erasures": compare}):
        while client is not None:
            # A task of its own: a worker that cannot start cancels whoever entered it.
            serving = asyncio.create_task(_serve(settings, client, stop))
            try:
                await serving
                break
            except RuntimeError as failed:
                if not str(failed).startswith(_NOT_DESCRIBED):
                    raise
            log.warning("Temporal went away while the worker started")
            await asyncio.sleep(1)
            client = await connect_patiently(stop, runtime)  # anew: the library keeps the failed one's place
    return 3 if wrong else 0


async def _serve(settings: Settings, client: Client, stop: asyncio.Event) -> None:
    """Until told to stop, then drains. Raises RuntimeError if Temporal does not describe our namespace."""
    async with assemble(settings, client) as parts:
        deeds = {
            "sweep": parts.sweep.run,
            "watch": partial(WATCH.keep, client, settings.temporal),
            "seal": partial(SEAL.keep, client, settings.temporal),
            "schedules": partial(keep_schedules, client, settings),
            "release": partial(_release_first, client, settings),
        }
        at_work, version = (
            AtWork(parts.worker, parts.sweep, parts.engine, client),
            code_version(tuple(registry())),
        )
        async with (
            watched(settings.metrics, "worker", version, Meters(), at_work),
            parts.worker,
            beside(deeds),
        ):
            log.info(
                "worker ready: %d activities on task queue %s", len(registry()), settings.temporal.task_queue
            )
            await stop.wait()
            log.info("worker draining")
        log.info("worker stopped")


@asynccontextmanager
async def assemble(settings: Settings, client: Client) -> AsyncGenerator[Parts]:
    """A worker and its sweep on an engine of their own; not yet polling."""
    version = code_version(tuple(registry()))
    engine = connect_store(settings.store, "hookledger worker")
    traces = open_traces(settings.traces, "worker", version)
    traced = traces is not OFF
    calling = Outgoing if traced else httpx.AsyncClient
    try:
        async with calling(timeout=_HTTP_TIMEOUT, follow_redirects=False) as http:
            platforms = {name: t.platform for name, t in settings.tenants.items() if t.platform}
            limit = Limit(settings.breaker.users, settings.breaker.window)
            wiring = Wiring(
                engine, http, settings.activities, version, open_vault(settings).unseal, limit, platforms
            )
            machinery = Machinery(wiring)
            overseer = Overseer(engine, client, settings)
            watcher = Watcher(
                engine, settings.tenants, settings.watch.interval, version, oversee=overseer.oversee
            )
            worker = Worker(
                client,
                task_queue=settings.temporal.task_queue,
                workflows=WORKFLOWS,
                activities=[
                    *_activities(machinery, wiring),
                    watcher.watch,
                    Sealer(settings).seal,
                    Reconciler(settings).reconcile,
                    Retainer(settings).retain,
                ],
                interceptors=[Hush(), Attempts(traces)] if traced else [Hush()],
                max_cached_workflows=2000,
                sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
                graceful_shutdown_timeout=GRACE,
                **versioned(settings.temporal.deployment, build_id(tuple(registry()))),
            )
            yield Parts(worker, Sweep(engine, client, settings), engine)
    finally:
        await engine.dispose()
        await traces.close()


def _activities(machinery: Machinery, wiring: Wiring) -> Sequence[Any]:
    bound = [bind(activity, wiring) for activity in registry().values() if not activity.plan.bookkeeping]
    return [machinery.take, machinery.bookkeeping, machinery.settle, machinery.lost, *bound]


async def connect_patiently(stop: asyncio.Event, runtime: Runtime | None = None) -> Client | None:
    """Waits for Temporal and for our search attributes: an unregistered one fails a start for ever."""
    pause, said = 0.2, ""
    while not stop.is_set():
        try:
            client = await connect(lazy=False, name="worker", runtime=runtime)
            for name in SEARCH_ATTRIBUTES:
                await client.count_workflows(f"{name} IS NULL")
            return client
        except RPCError as wrong:
            words = (
                f"search attributes {', '.join(SEARCH_ATTRIBUTES)} are not registered ({wrong.status.name})"
            )
        except (RuntimeError, OSError) as wrong:
            words = f"Temporal is out of reach ({type(wrong).__name__}): check TEMPORAL_ADDRESS"
        if words != said:
            log.warning("waiting: %s", words)
            said = words
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)
    return None


async def _release_first(client: Client, settings: Settings) -> None:
    """Where workers are versioned and no build is current yet, this one becomes so once Temporal has seen it."""
    name = settings.temporal.deployment
    build = build_id(tuple(registry()))
    while name is not None:
        try:
            if any(known.current for known in await builds(client, name)):
                return
            if await first_of_all(client, name, build):
                log.info("build %s is current, the first of deployment %s", build, name)
                return
        except (RPCError, CannotRelease) as wrong:
            log.warning("no build is current yet: %s", type(wrong).__name__)
        await asyncio.sleep(0.5)


async def _registered(stop: asyncio.Event, settings: Settings) -> bool:
    """Notes this release and what it has, as soon as the store is there. False if told to stop before.

    Before Temporal is waited for: of two releases that is the newer one which the store saw later.
    """
    engine, version, pause = (
        connect_store(settings.store, "hookledger worker"),
        code_version(tuple(registry())),
        0.2,
    )
    try:
        while not stop.is_set():
            try:
                async with engine.begin() as connection:
                    await register(connection, version, list(registry()))
                return True
            except EngineErrors as wrong:
                log.warning("waiting for the store: %s", type(wrong).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
    finally:
        await engine.dispose()
    return False
