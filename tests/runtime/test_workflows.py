"""The one list of our workflows."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import workflows
from runtime.workflows import WORKFLOWS


def test_it_has_every_workflow_under_the_name_that_temporal_knows() -> None:
    modules = [import_module(f"workflows.{module.name}") for module in iter_modules(workflows.__path__)]
    named: dict[str, Any] = {}
    for module in modules:
        for value in vars(module).values():
            definition = getattr(value, "__temporal_workflow_definition", None)
            if definition is not None and value.__module__ == module.__name__:
                named[definition.name] = value

    assert set(named.values()) == set(WORKFLOWS)
    assert all(workflow.__name__ == name for name, workflow in named.items())
