"""The decorator that makes a function an activity, with its options beside it."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from activities._event import Event
from activities._tools import Tools
from hooks import by_name
from hooks.hook import Hook
from ledger.plan import Plan
from rules.condition import Condition

MAX_QUIET = timedelta(seconds=30)
"""The longest attempt without a heartbeat: above it a dead worker would go unnoticed for too long."""

SEALED_FOR = timedelta(days=2)
"""A secret's longest time to live, from the delivery on: whatever needs it must have given up before."""
STARTS_WITHIN = timedelta(hours=6)
"""How late the first attempt may be, after an outage, without missing its secret."""

AS_THE_HOOK = timedelta(days=3650)
"""Waits as long as the tenant's window for the hook: only the watch ends it."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN = frozenset({"take", "bookkeeping", "settle", "watch", "reconcile"})
"""The machinery's own names in Temporal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: one word for the ledger, and facts about it that name nobody."""

    word: str = "done"
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


Ending = Awaitable[Outcome | None]
Run = Callable[[Event, Tools], Ending] | Callable[[list[Event], Tools], Ending]


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity: the function, when it is planned, and the plan's options."""

    name: str
    purpose: str
    run: Run
    hooks: tuple[Hook, ...]
    when: Condition | None
    plan: Plan
    delay: timedelta
    confirmed: timedelta | None
    """How long an intention waits for its fact at most, whatever its hook's window; None: runs at once."""
    secret: bool
    lane: str
    settings_required: bool
    platform: bool
    """Calls the platform back, so that a chain of its own hooks has to have an end."""

    async def call(self, events: list[Event], tools: Tools) -> Outcome:
        """Runs the function: with the list if it declared a batch, else with the one event."""
        run: Callable[[Any, Tools], Ending] = self.run
        batched = self.plan.batch > 1 and not self.plan.bookkeeping
        return await run(events if batched else events[0], tools) or Outcome()

    @property
    def sealed_for(self) -> timedelta:
        """How long its secret is kept: until it has given up, though its first attempt came late."""
        ends = timedelta(seconds=self.plan.give_up) + (self.confirmed or self.delay)
        return min(ends + STARTS_WITHIN, SEALED_FOR)

    def planned_on(self, hook: Hook) -> bool:
        """Whether a delivery of this hook can cause this activity."""
        return hook in self.hooks

    def lane_for(self, application: str | None) -> str:
        """One lane per activity, and per application when the hook names one."""
        if self.plan.bookkeeping or application is None:
            return self.lane
        return f"{self.lane}:{application}"


def seconds(n: float) -> timedelta:
    """n seconds."""
    return timedelta(seconds=n)


def minutes(n: float) -> timedelta:
    """n minutes."""
    return timedelta(minutes=n)


def hours(n: float) -> timedelta:
    """n hours."""
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    """n days."""
    return timedelta(days=n)


def activity(
    *,
    on: Hook | Iterable[Hook],
    when: str | None = None,
    timeout: timedelta = MAX_QUIET,
    heartbeat: timedelta | None = None,
    give_up: timedelta = timedelta(days=1),
    first_wait: timedelta = timedelta(seconds=1),
    longest_wait: timedelta = timedelta(seconds=100),
    batch: int = 1,
    after: str | None = None,
    on_failure: str = "continue",
    delay: timedelta = timedelta(0),
    cancel_on: Iterable[Hook] = (),
    confirmed: bool = False,
    window: timedelta = AS_THE_HOOK,
    secret: bool = False,
    needs_settings: bool = False,
    bookkeeping: bool = False,
    platform: bool = False,
) -> Callable[[Run], Activity]:
    """Makes `async def name(event: Event, tools: Tools) -> Outcome | None` an activity.

    on: the hooks that cause it.  when: a CEL condition over `request`, `user`, `tenant`, `hook`.
    timeout: the longest single attempt; above 30 s a `heartbeat` interval is required.
    give_up: from the first attempt to the last.  batch: gets `list[Event]`, at most so many of one person, in order.
    after: waits until the named activity has settled for the same delivery.
    on_failure: "continue", or "hold": nothing else in its lane runs until an operator redrives or skips it.
    delay: runs so long after receipt, unless one of `cancel_on` has come since.
    confirmed: on an intention, runs when the fact has come, and is dropped if it does not come in the hook's window
    ([tenants.NAME.windows]), or sooner: in `window`.
    secret: needs the delivery's password; it is sealed until then, for two days at most.
    needs_settings: planned only for a configuration that has `[activities.NAME]`.
    platform: calls the platform by `tools.platform`; hooks that this causes run it [tenants.NAME.platform] loop_depth times.
    bookkeeping: writes only through `tools.db`, so it shares one transaction with its neighbours.
    """
    hooks = (on,) if isinstance(on, Hook) else tuple(on)
    plan = Plan(
        timeout=timeout.total_seconds(),
        give_up=give_up.total_seconds(),
        first_wait=first_wait.total_seconds(),
        longest_wait=longest_wait.total_seconds(),
        heartbeat=heartbeat.total_seconds() if heartbeat is not None else None,
        batch=50 if bookkeeping else batch,
        after=after,
        hold=on_failure == "hold",
        bookkeeping=bookkeeping,
        cancel_on=tuple(h.name for h in cancel_on),
        secret=secret,
    )

    def make(function: Run) -> Activity:
        name = function.__name__
        made = Activity(
            name=name,
            purpose=_first_sentence(function),
            run=function,
            hooks=hooks,
            when=_condition(name, when),
            plan=plan,
            delay=delay,
            confirmed=window if confirmed else None,
            secret=secret,
            lane="bookkeeping" if bookkeeping else name,
            settings_required=needs_settings,
            platform=platform,
        )
        _check(made, on_failure, batch)
        return made

    return make


def _first_sentence(function: Callable[..., Any]) -> str:
    import sys

    text = function.__doc__ or sys.modules[function.__module__].__doc__ or ""
    return text.strip().split("\n", 1)[0]


def _condition(name: str, when: str | None) -> Condition | None:
    try:
        return None if when is None else Condition(when)
    except ValueError as wrong:
        raise ValueError(f"activity {name}: when: {wrong}") from None


def _check(made: Activity, on_failure: str, batch: int) -> None:
    """Refuses options that cannot work. Raises ValueError with the activity's name and the way out."""
    name, plan = made.name, made.plan
    if not _NAME.fullmatch(name):
        raise ValueError(f"activity {name}: a name is a-z, 0-9 and _, at most 63 letters; it is permanent")
    if name in _TAKEN:
        raise ValueError(f"activity {name}: the name is taken by Hookledger itself; choose another")
    if not made.hooks:
        raise ValueError(f"activity {name}: on=… names no hook, so it would never run")
    if plan.timeout > MAX_QUIET.total_seconds() and plan.heartbeat is None:
        raise ValueError(
            f"activity {name}: a timeout over 30 s needs heartbeat=… and tools.heartbeat() calls"
        )
    if on_failure not in ("continue", "hold"):
        raise ValueError(f'activity {name}: on_failure is "continue" or "hold"')
    confirmable = {intention for fact in by_name().values() for intention in fact.confirms}
    if made.confirmed and not confirmable.issuperset(h.name for h in made.hooks):
        known = ", ".join(sorted(confirmable))
        raise ValueError(f"activity {name}: confirmed=True is for intentions that a fact confirms: {known}")
    if made.platform and (batch > 1 or plan.bookkeeping):
        raise ValueError(f"activity {name}: platform=True is for one delivery at a time, and no bookkeeping")
    if made.confirmed and made.delay:
        raise ValueError(f"activity {name}: confirmed=True runs when the fact comes; it takes no delay")
    if batch < 1:
        raise ValueError(f"activity {name}: batch is at least 1")
    if plan.bookkeeping:
        _check_bookkeeping(made, batch)
    _check_times(name, plan)
    if (
        made.secret
        and plan.give_up + (made.confirmed or made.delay).total_seconds() > SEALED_FOR.total_seconds()
    ):
        raise ValueError(
            f"activity {name}: a secret is kept for {SEALED_FOR.days} days; shorten give_up, delay or window"
        )


def _check_bookkeeping(made: Activity, batch: int) -> None:
    if made.secret:
        raise ValueError(
            f"activity {made.name}: bookkeeping=True writes to the store only, where no secret may go"
        )
    if made.plan.hold or batch > 1:
        raise ValueError(
            f"activity {made.name}: bookkeeping=True shares a lane with others, so it takes no batch and cannot hold"
        )


def _check_times(name: str, plan: Plan) -> None:
    """Temporal refuses these in the middle of a person's lifecycle; here the author is told."""
    if min(plan.timeout, plan.give_up, plan.first_wait) <= 0 or (
        plan.heartbeat is not None and plan.heartbeat <= 0
    ):
        raise ValueError(
            f"activity {name}: timeout, heartbeat, give_up and first_wait are longer than nothing"
        )
    if plan.longest_wait < plan.first_wait:
        raise ValueError(f"activity {name}: longest_wait is shorter than first_wait; raise it")
