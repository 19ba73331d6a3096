"""How much of the store one tenant may have at a time: `[tenants.NAME.limits]`."""

from typing import Annotated

from pydantic import Field

from settings.rules import Table

_Many = Annotated[int, Field(ge=1, le=1000)]


class Limits(Table):
    """Per api process. Calls to the store under way at a time, for events and for decisions; callers that may wait.

    Left out, a tenant alone may have all but one of `store.pool_size` for its events, and one among several the half;
    decisions may have all, or three quarters.
    """

    events: _Many | None = None
    decisions: _Many | None = None
    waiting: Annotated[int, Field(ge=0, le=100_000)] = 512
