"""What an activity works with: its idempotency key, the store, HTTP, and a heartbeat."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from activities._errors import Refused
from activities._platform import Platform
from ledger.work import Reader, Write


@dataclass
class Db:
    """The store. Writes are kept back and commit together with the outcome: their effect is exactly once."""

    reader: Reader
    writes: list[Write] = field(default_factory=list[Write])

    def write(self, sql: str, **values: Any) -> None:
        """Keeps a statement (`:name` parameters) for the transaction that settles this work."""
        self.writes.append(Write(sql, values))

    async def read(self, sql: str, **values: Any) -> list[Mapping[str, Any]]:
        """Rows of a SELECT (`:name` parameters), in a transaction of its own that is over when this returns."""
        return await self.reader(Write(sql, values))


class Configured(dict[str, Any]):
    """`[activities.NAME]` of the configuration. A key that is not there is said, and not tried again."""

    def __missing__(self, key: str) -> Any:
        raise Refused(f"the configuration's table of this activity has no {key}: add it, then redrive")


@dataclass(frozen=True)
class Tools:
    """One set per call of an activity."""

    key: str
    """Idempotency key for external systems: the same for every attempt of this work, and for no other."""
    attempt: int
    db: Db
    http: httpx.AsyncClient
    """Shared client: 10 s time-outs, no redirects."""
    settings: Mapping[str, Any]
    """`[activities.NAME]` of the configuration, references resolved; a key that is missing refuses the work."""
    heartbeat: Callable[[], None]
    """To be called at least once per declared heartbeat interval."""
    platform: Platform = field(default_factory=Platform)
    """Calls back to the platform's API, for an activity with platform=True."""
