"""Calls back to the platform's API, with the tenant's own token: each is noted first, so that what it causes is known."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from activities._answers import failure
from activities._errors import Refused, Unavailable
from ledger.calls import Chain
from settings.platform import Platform as Address

_YOUNG = timedelta(minutes=5)
"""So soon after its hook, the platform may not have a person yet of whom it told."""
_TOKEN = frozenset({401, 403})
"""A token is renewed sooner than an activity gives up."""
Note = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform of one delivery's tenant. Without address it refuses: which setting is missing, says the error."""

    address: Address | None = None
    http: httpx.AsyncClient | None = None
    received_at: datetime | None = None
    note: Note | None = None
    cause: Chain | None = None

    @property
    def chain(self) -> dict[str, Any]:
        """What the entry says of the call that caused this delivery's hook; empty: none of ours did."""
        return {"caused by": self.cause.caused_by, "depth": self.cause.depth} if self.cause else {}

    @property
    def looped(self) -> bool:
        """Whether as many calls were made in a row as may be."""
        return bool(self.address and self.cause and self.cause.depth >= self.address.loop_depth)

    async def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """The answer, if it is a success. `path` begins with /, behind the configured address.

        Raises Unavailable, also for a 404 in the first minutes after the hook (the platform tells before it knows);
        else Refused.
        """
        if self.address is None or self.http is None or self.address.token is None or self.note is None:
            raise Refused("needs platform=True, and [tenants.NAME.platform] with url and token")
        if not path.startswith("/") or path.startswith("//"):
            raise Refused("the path begins with one /: the token goes to the configured address only")
        await self.note()
        headers = {"authorization": f"Bearer {self.address.token}"}
        try:
            answer = await self.http.request(method, self.address.url + path, json=json, headers=headers)
        except httpx.TransportError as wrong:
            raise Unavailable(type(wrong).__name__) from None
        if answer.is_success:
            return answer
        young = self.received_at is not None and datetime.now(UTC) - self.received_at < _YOUNG
        raise failure(answer, _TOKEN | {404} if young else _TOKEN)
