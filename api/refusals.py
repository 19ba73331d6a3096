"""The last calls turned away, kept in a bounded ring per tenant for `./hookledger doctor`; no evidence, no data."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

RING = 100
"""Refusals kept per tenant."""
STRANGER = "?"
"""The tenant of calls that name no configured one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One call turned away. `words` come from our own sentences, never from the call."""

    tenant: str
    at: datetime
    hook: str
    status: int
    reason: str
    words: str
    receipt: UUID


class Refusals:
    """Collects in memory; a task of the app writes them down once a second."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Refused]] = {}
        self.count = 0

    def add(self, tenant: str | None, hook: str, status: int, reason: str, words: str, receipt: UUID) -> None:
        """Notes one; a tenant's oldest goes when its calls come faster than they can be written down."""
        self.count += 1
        tenant = tenant or STRANGER
        self._waiting.setdefault(tenant, deque(maxlen=RING)).append(
            Refused(tenant, datetime.now(UTC), hook[:64], status, reason, words[:500], receipt)
        )

    def drain(self) -> list[Refused]:
        """Those since the last call."""
        waiting = [refused for ring in self._waiting.values() for refused in ring]
        self._waiting.clear()
        return waiting
