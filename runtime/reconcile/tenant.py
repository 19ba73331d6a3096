"""Reconciles one configured tenant, whoever asks: the command, or the schedule's activity."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from activities._planning import Planner
from activities._registry import registry
from ledger.engine import connect, open_pool, reading
from ledger.known import let_go, only_one
from runtime.reconcile.record import ACTOR, Recorder
from runtime.reconcile.run import Reconciliation
from runtime.reconcile.tally import Difference, Progress, Tally
from runtime.reconcile.user_list import FIRST_WAIT, PlatformRefuses, UserList
from runtime.version import code_version
from settings import Settings
from workflows.reconcile import Summary

_POOL = 10
_STATEMENT_SECONDS = 30.0


class UnderWay(Exception):
    """Another run reconciles this tenant now."""


async def reconcile(
    settings: Settings,
    name: str,
    *,
    actor: str = ACTOR,
    dry_run: bool = False,
    run_activities: bool | None = None,
    limit: int | None = None,
    found: Callable[[Difference], None] = lambda _: None,
    watch: Callable[[Progress], None] = lambda _: None,
    first_wait: float = FIRST_WAIT,
) -> Summary:
    """One run. None takes what the tenant's `[platform]` says. Rings nobody: the sweep does, at its own rate.

    Raises UnderWay, PlatformRefuses, PlatformLost, and what a lost store raises.
    """
    tenant = settings.tenants[name]
    platform = tenant.platform
    if platform is None:
        raise PlatformRefuses(f"tenants.{name} has no [platform]: add url and token of an API client")
    async with AsyncExitStack() as stack:
        users = UserList(name, platform, tenant.token.tenant_id, first_wait=first_wait)
        stack.push_async_callback(users.close)
        engine = connect(
            settings.store.url,
            name="hookledger reconcile",
            pool_size=_POOL,
            statement_timeout=_STATEMENT_SECONDS,
            by_key=True,
        )
        stack.push_async_callback(engine.dispose)
        lock = await stack.enter_async_context(reading(engine))
        if not await only_one(lock, f"reconcile:{name}"):
            raise UnderWay(
                f"another reconciliation of {name} is under way: wait for it, or see the Temporal UI"
            )
        stack.push_async_callback(let_go, lock, f"reconcile:{name}")
        pool = await open_pool(settings.store, "hookledger reconcile")
        stack.push_async_callback(pool.close)
        recorder = Recorder(
            settings=settings,
            name=name,
            pool=pool,
            planner=Planner(settings.activities),
            version=code_version(tuple(registry())),
            actor=actor,
            run_activities=platform.run_activities if run_activities is None else run_activities,
        )
        tally = Tally(recorder, dry_run, found, watch)
        return await Reconciliation(platform, users, engine, tally, limit).run()
