"""Answers that were given without the store and wait to be recorded: in memory, in order, bounded, without secrets."""

import logging
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from api.heard import Heard

log = logging.getLogger(__name__)

_MOST_BYTES = 64 * 1024 * 1024
_NAMED = 50
"""Receipts in one line of the log."""


@dataclass(frozen=True, slots=True)
class Late:
    """One answer. `heard` is without its request, which is `kept`: JSON, its secrets cut."""

    heard: Heard
    kept: bytes = field(repr=False)
    verdict: str
    codes: tuple[str, ...]
    said: Mapping[str, object] | None
    """What rules' functions in Python gave; None: they were not asked."""
    at: datetime


@dataclass(frozen=True, slots=True)
class NotKept:
    """What there was no room for, of one tenant."""

    tenant: str
    counts: dict[str, int]
    """By `hook: verdict`."""
    first: datetime
    last: datetime


class Unrecorded:
    """A queue. What a kill of the process loses is named in its log by receipt."""

    def __init__(self, most: int, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._waiting: deque[Late] = deque()
        self._bytes = 0
        self._named: list[UUID] = []
        self._dropped: dict[str, tuple[Counter[str], datetime, datetime]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, late: Late) -> None:
        """Keeps one if there is room; else only counts it."""
        heard = late.heard
        if len(self._waiting) >= self._most or self._bytes + len(late.kept) > self._most_bytes:
            counts, first, _ = self._dropped.get(heard.caller.tenant, (Counter[str](), late.at, late.at))
            counts[f"{heard.hook.name}: {late.verdict}"] += 1
            self._dropped[heard.caller.tenant] = (counts, first, late.at)
            log.error("degraded: no room to keep %s", heard.receipt)
            return
        self._waiting.append(late)
        self._bytes += len(late.kept)
        self._named.append(heard.receipt)
        if len(self._named) >= _NAMED:
            self.name_new()

    def first(self) -> Late | None:
        """The oldest, which stays until it is done."""
        return self._waiting[0] if self._waiting else None

    def done(self) -> None:
        """The oldest is recorded, or given up."""
        self._bytes -= len(self._waiting.popleft().kept)

    def not_kept(self) -> list[NotKept]:
        """Counts of what there was no room for; they stay until forgotten."""
        return [NotKept(t, dict(c), first, last) for t, (c, first, last) in self._dropped.items()]

    def forget(self, told: NotKept) -> None:
        """These counts are recorded."""
        counts, _, last = self._dropped.pop(told.tenant)
        counts.subtract(told.counts)
        if rest := +counts:
            self._dropped[told.tenant] = (rest, told.last, last)

    def name_new(self) -> None:
        """Names in the log what came since the last call: all that is left of it, should the process be killed."""
        if self._named:
            log.warning("degraded: %d answers wait to be recorded: %s", len(self), _listed(self._named))
            self._named.clear()

    def give_up(self) -> None:
        """The process ends: names what will never be recorded."""
        if self._waiting or self._dropped:
            missing = sum(c.total() for c, _, _ in self._dropped.values())
            log.error("degraded: %d answers are lost, and %d were not kept", len(self), missing)
        receipts = [late.heard.receipt for late in self._waiting]
        for place in range(0, len(receipts), _NAMED):
            log.error("degraded: lost %s", _listed(receipts[place : place + _NAMED]))


def _listed(receipts: list[UUID]) -> str:
    return " ".join(map(str, receipts))


def now() -> datetime:
    """The moment of an answer."""
    return datetime.now(UTC)
