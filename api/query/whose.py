"""Whose ledger a call asks: a tenant that the caller may read."""

from collections.abc import Collection, Mapping
from typing import Any

from api.problems import Problem
from api.query.parameters import BadParameters
from api.query.principal import Principal
from ledger.walls import see


class NotTheirs(Problem):
    """403: a tenant that the caller may not read."""

    def __init__(self) -> None:
        super().__init__(403, "not_allowed", "The caller may not read that tenant.")


def may_read(who: Principal, tenants: Collection[str]) -> tuple[str, ...]:
    """All of them. Raises Problem 403 if there is none."""
    may = who.tenants("auditor", tenants)
    if not may:
        raise Problem(403, "not_allowed", "The caller may read none of the tenants that are configured.")
    return may


def of_a_tenant(given: Mapping[str, Any], who: Principal, tenants: Collection[str]) -> dict[str, Any]:
    """What was given, with a tenant that they may read: theirs, if they have but one. Raises NotTheirs, BadParameters.

    From then on the call sees that tenant only.
    """
    may = may_read(who, tenants)
    if "tenant" in given:
        tenant = given["tenant"]
    elif len(may) == 1:
        tenant = may[0]
    else:
        raise BadParameters(f"tenant: is missing: one of {', '.join(may)}.")
    if tenant not in may:
        raise NotTheirs
    see(tenant)
    return {"tenant": tenant, **given}
