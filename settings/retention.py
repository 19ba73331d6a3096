"""How long each kind of record is kept: `[ledger.retention]`, and the law's floor under it (docs/retention.md)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from settings.mistakes import Mistake
from settings.table import Table

FLOOR = timedelta(days=365)
"""What the store holds to as well, whatever is configured (migrations, legal_floor())."""

_DAYS = {"d": 1, "w": 7, "y": 366}
"""A year is never shorter than a year."""
_TEXT = re.compile(r"(\d{1,5}) ?([dwy])")
_WORDS = 'must be a text such as "400d", "60w", "7y", and at most a hundred years'
_LONGEST = timedelta(days=36_600)


def _kept(value: object) -> timedelta | None:
    match value:
        case None | "forever":
            return None
        case timedelta():
            kept = value
        case str() if found := _TEXT.fullmatch(value.strip()):
            kept = timedelta(days=int(found[1]) * _DAYS[found[2]])
        case _:
            kept = None
    if kept is None or not timedelta(0) < kept <= _LONGEST:
        raise ValueError(f'{_WORDS}; or "forever"')
    return kept


def _span(value: object) -> timedelta:
    if (span := _kept(value)) is None:
        raise ValueError(_WORDS)
    return span


Span = Annotated[timedelta, BeforeValidator(_span)]
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]
"""None: forever."""


class Retention(Table):
    """By class, how long rows are kept at least; whole months are dropped, so it is up to a month longer.

    bodies: what hooks said. entries: the ledger, with its deliveries, accesses and deeds. ahead: months made in advance.
    """

    bodies: Kept = timedelta(days=400)
    entries: Kept = timedelta(days=7 * 366)
    work: Kept = timedelta(days=7 * 366)
    faults: Kept = timedelta(days=400)
    refusals: Kept = timedelta(days=400)
    gaps: Kept = timedelta(days=7 * 366)
    imports: Kept = timedelta(days=7 * 366)
    ahead: Annotated[int, Field(ge=1, le=24)] = 3

    @property
    def classes(self) -> dict[str, timedelta | None]:
        """How long each is kept, in the order in which they are dropped: what points at deliveries before them."""
        return {name: getattr(self, name) for name in CLASSES}

    def mistakes(self, floor: timedelta) -> Iterator[Mistake]:
        """What cannot be kept so short, or so long beside the others."""
        for name, kept in self.classes.items():
            if kept is not None and kept < floor:
                words = f"is shorter than ledger.legal_floor, {floor.days} days: keep it at least so long"
                yield (name,), words
            elif name in _WITHIN and self.entries is not None and (kept is None or kept > self.entries):
                yield (name,), "is longer than entries are kept, which tell of it: keep those as long"


CLASSES = ("faults", "refusals", "gaps", "imports", "bodies", "work", "entries")
_WITHIN = frozenset({"bodies", "work"})
IN_MONTHS = frozenset({"bodies", "entries"})
"""Classes that lie in partitions; of the others, rows are deleted."""
