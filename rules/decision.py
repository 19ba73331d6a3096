"""What CEL cannot say: a decision as a Python function, in a file of its own under decisions/."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from rules.expressions import Asked

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class DecisionTools:
    """What a decision may use. Whatever it does must be fast: the platform, and a person, wait for it."""

    http: httpx.AsyncClient
    """Shared; its time-outs are those of the rules' python_timeout."""


Function = Callable[[Asked, DecisionTools], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class PythonDecision:
    """One function. What it gives depends on the rule that names it; None says nothing.

    validate: True refuses.  enrich: a dict of attribute to value.  policy_map: the value.  deprovision: True removes.
    """

    name: str
    purpose: str
    run: Function


def decision(function: Function) -> PythonDecision:
    """Makes `async def name(asked: Asked, tools: DecisionTools)` a decision that rules may name: `python = "name"`."""
    name: str = getattr(function, "__name__", "")
    if not _NAME.fullmatch(name):
        raise ValueError("a decision's name is a-z, 0-9 and _, at most 63 letters")
    return PythonDecision(name, (function.__doc__ or "").strip().split("\n", 1)[0], function)
