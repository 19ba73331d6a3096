"""What was known of a person before the change that a call is about."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ledger.asked import last_known
from ledger.engine import Statements
from rules.changing import same
from rules.normal import normal

SAME_CHANGE = timedelta(minutes=15)
"""How long after a fact a call may still be about the change that it told."""


async def known_before(
    store: Statements, tenant: str, platform_id: str | None, user: Mapping[str, Any], region: str
) -> dict[str, Any] | None:
    """The last known user; None if nobody is known. Raises one of ledger.engine.StoreErrors.

    Whether the fact of a change comes before or after the call, the platform does not say (CONTRACT B1): one that says
    the same, just now, was that fact, and what was known before it is meant.
    """
    login = normal("login", user["login"], user, region) or ""
    known = await last_known(store, tenant, platform_id, login)
    if known is None or known.user is None:
        return None
    if known.previous is not None and known.age < SAME_CHANGE and same(user, known.user):
        return known.previous
    return known.user
