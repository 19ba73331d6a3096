"""When one cause is an incident, and how its breaker tries and lets go: `[breaker]` (docs/trouble.md)."""

from typing import Annotated

from pydantic import Field

from settings.table import Table

_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Breaker(Table):
    """An activity that fails in one way for `users` people of a tenant within `window` seconds is held there.

    users: 0 is never. probe_every: seconds between attempts for one person while it is held. rate: people's lanes let
    go in a second, when such an attempt went well.
    """

    users: Annotated[int, Field(ge=0, le=1000)] = 5
    window: _Seconds = 300
    probe_every: _Seconds = 30
    rate: Annotated[float, Field(ge=0.1, le=1000)] = 20
