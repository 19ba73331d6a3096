"""Finds a tenant's own files: those of a package, of packages named in the environment, and of entry points."""

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType


def modules(package: str, *, variable: str, group: str) -> Iterator[ModuleType]:
    """The modules of `package`, of the packages in the environment's `variable` (commas between), and of entry points.

    Raises TypeError for an entry point that is not a module.
    """
    yield from _modules_of(package)
    for named in filter(None, os.environ.get(variable, "").split(",")):
        yield from _modules_of(named.strip())
    for point in entry_points(group=group):
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
