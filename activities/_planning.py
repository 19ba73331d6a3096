"""Resolves what a delivery causes, once, when it is received: the plan is data from then on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities._activity import Activity
from activities._registry import registry
from hooks.hook import Hook
from ledger.receive import Planned, plan_text


@dataclass(frozen=True, slots=True)
class _Ready:
    activity: Activity
    text: str


class Planner:
    """Plans by hook. Made once per process; `settings` are the `[activities.NAME]` tables."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._by_hook: dict[str, list[_Ready]] = {}
        for activity in registry().values():
            if activity.settings_required and activity.name not in settings:
                continue
            ready = _Ready(activity, plan_text(activity.plan))
            for hook in activity.hooks:
                self._by_hook.setdefault(hook.name, []).append(ready)

    def plan(self, hook: Hook, request: dict[str, Any], tenant: str) -> list[Planned]:
        """The work that this delivery causes, in the order of the activities' names."""
        application = hook.application(request)
        return [
            Planned(
                activity=a.name,
                lane=a.lane_for(application),
                plan=ready.text,
                delay=a.confirmed if a.confirmed is not None else a.delay,
                waits=a.confirmed is not None,
            )
            for ready in self._by_hook.get(hook.name, ())
            if (a := ready.activity).when is None or a.when.holds(request, tenant, hook.name)
        ]

    def sealed_for(self, work: Sequence[Planned]) -> timedelta | None:
        """How long the delivery's secret is kept for those of the planned activities that need it; None: for none."""
        needing = [a for w in work if (a := registry()[w.activity]).secret]
        return max((a.sealed_for for a in needing), default=None)

    def only_bookkeeping(self, work: Sequence[Planned]) -> bool:
        """Whether the ring may wait a little."""
        return all(w.lane == "bookkeeping" for w in work)
