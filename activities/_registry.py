"""Finds the activities: the files beside this one, packages named in HOOKLEDGER_ACTIVITIES, and entry points."""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType

from activities._activity import Activity

ENTRY_POINTS = "hookledger.activities"


@cache
def registry() -> Mapping[str, Activity]:
    """Every activity by name. Raises ValueError if two share a name or wait for each other in a circle, and
    TypeError for an entry point that is not a module."""
    found: dict[str, tuple[Activity, str]] = {}
    for module in _modules():
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


def _modules() -> Iterator[ModuleType]:
    yield from _modules_of("activities")
    for package in filter(None, os.environ.get("HOOKLEDGER_ACTIVITIES", "").split(",")):
        yield from _modules_of(package.strip())
    for point in entry_points(group=ENTRY_POINTS):
        loaded = point.load()
        if not isinstance(loaded, ModuleType):
            raise TypeError(
                f"entry point {point.name} = {point.value}: name the module or package, not what is in it"
            )
        yield from _modules_of(loaded.__name__)


def _modules_of(name: str) -> Iterator[ModuleType]:
    """The modules of a package but those that begin with _, or the one module."""
    found = import_module(name)
    if not hasattr(found, "__path__"):
        yield found
        return
    for module in sorted(iter_modules(found.__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            yield import_module(f"{name}.{module.name}")


def _check_after(activities: Mapping[str, Activity]) -> None:
    for start in activities.values():
        path = [start.name]
        following = start.plan.after
        while following is not None and following in activities:
            if following in path:
                raise ValueError(f"activities wait for each other: {' → '.join([*path, following])}")
            path.append(following)
            following = activities[following].plan.after
