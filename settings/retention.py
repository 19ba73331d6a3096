"""How long each kind of record is kept: `[ledger.retention]`, and the law's floor under it (docs/retention.md)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from settings.mistakes import Mistake
from settings.spans import Kept
from settings.table import Table


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
