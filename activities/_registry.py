"""Finds the activities: the files beside this one, packages named in HOOKLEDGER_ACTIVITIES, and entry points."""

from collections.abc import Mapping
from functools import cache

from activities._activity import Activity
from rules.discovery import modules

ENTRY_POINTS = "hookledger.activities"


@cache
def registry() -> Mapping[str, Activity]:
    """Every activity by name. Raises ValueError if two share a name or wait for each other in a circle, and
    TypeError for an entry point that is not a module."""
    found: dict[str, tuple[Activity, str]] = {}
    for module in modules("activities", variable="HOOKLEDGER_ACTIVITIES", group=ENTRY_POINTS):
        for value in vars(module).values():
            if not isinstance(value, Activity):
                continue
            known = found.get(value.name)
            if known is not None and known[0] is not value:
                raise ValueError(
                    f"activity {value.name} is in {known[1]} and in {module.__name__}: rename one"
                )
            found.setdefault(value.name, (value, module.__name__))
    activities = {name: found[name][0] for name in sorted(found)}
    _check_after(activities)
    return activities


def _check_after(activities: Mapping[str, Activity]) -> None:
    for start in activities.values():
        path = [start.name]
        following = start.plan.after
        while following is not None and following in activities:
            if following in path:
                raise ValueError(f"activities wait for each other: {' → '.join([*path, following])}")
            path.append(following)
            following = activities[following].plan.after
