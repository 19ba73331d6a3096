"""Finds the decisions: the files beside this one, packages named in HOOKLEDGER_DECISIONS, and entry points."""

from collections.abc import Mapping
from functools import cache

from rules.decision import PythonDecision
from rules.discovery import modules

ENTRY_POINTS = "hookledger.decisions"


@cache
def registry() -> Mapping[str, PythonDecision]:
    """Every decision by name. Raises ValueError if two share a name."""
    found: dict[str, tuple[PythonDecision, str]] = {}
    for module in modules("decisions", variable="HOOKLEDGER_DECISIONS", group=ENTRY_POINTS):
        for value in vars(module).values():
            if not isinstance(value, PythonDecision):
                continue
            known = found.get(value.name)
            if known is not None and known[0] is not value:
                raise ValueError(
                    f"decision {value.name} is in {known[1]} and in {module.__name__}: rename one"
                )
            found.setdefault(value.name, (value, module.__name__))
    return {name: found[name][0] for name in sorted(found)}
