"""Policies from a few lines of TOML, as tests want them."""

import tomllib
from typing import Any

from decisions._registry import registry
from rules.compiling import check_with, compile_rules
from rules.expressions import Asked
from rules.opinion import Opinion
from rules.policy import Policy
from settings import Tenant
from settings.mistakes import Inside

_TENANT: dict[str, Any] = {
    "token": {"keys": [{"secret": "s" * 48}]},
    "deprovision": {"answer": "rules"},
}


def tenant(rules: str, **more: Any) -> Tenant:
    """A tenant with these `[tenants.NAME.rules]`."""
    return Tenant.model_validate(_TENANT | more | {"rules": {"mode": "on"} | tomllib.loads(rules)})


def policy(rules: str, **more: Any) -> Policy:
    """Their policy. Raises ValueError for a mistake in them."""
    return compile_rules("as100", tenant(rules, **more), registry())


def mistakes(rules: str, **more: Any) -> list[tuple[str, int, int, str]]:
    """(place, line, column, words) of each mistake; line and column are 0 where only the place is known."""
    found: list[tuple[str, int, int, str]] = []
    for where, words in check_with(registry())("as100", tenant(rules, **more)):
        inside = next((p for p in where if isinstance(p, Inside)), Inside(0, 0))
        place = ".".join(str(p) for p in where if not isinstance(p, Inside))
        found.append((place, inside.line, inside.column, words))
    return found


def opinion(
    of: Policy, hook: str, user: dict[str, Any], before: dict[str, Any] | None = None, **request: Any
) -> Opinion:
    """What a policy says of a user."""
    return of.opinion(Asked(hook, "as100", {"user": user, **request}, user, before))
