"""What retention has dropped, as its sealed deeds tell it: months of ids that are known to be gone, and how many rows of them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.leaf import leaf, selected
from ledger.lines import all_lines
from ledger.tree import HASH, leaf_hash

OUTCOME = "retention dropped"
ROOM = 10**10
"""Entries of one month have its year and month before their ten last digits."""

_DEEDS = f"""
    SELECT coalesce(encode(l.hashes, 'hex'), ''), {selected("e")}
      FROM entries e LEFT JOIN leaves l ON l.entry = e.id
     WHERE e.hook = 'operator' AND e.outcome = '{OUTCOME}' ORDER BY e.id
"""


@dataclass(frozen=True, slots=True)
class Month:
    """One month of entries that was dropped. `first` is None where it begins with everything before; `ends` is no part of it.

    `sealed` and `waiting`: how many entries its deeds tell of, by whether those are sealed themselves.
    """

    first: date | None
    ends: date
    sealed: int = 0
    waiting: int = 0

    @property
    def name(self) -> str:
        """As people write it."""
        last = self.ends - timedelta(days=1)
        return f"{'' if self.first else 'until '}{last:%Y-%m}"

    def has(self, entry: int) -> bool:
        """Whether an entry with that id belongs to it."""
        return (self.first is None or _first_id(self.first) <= entry) and entry < _first_id(self.ends)

    def row(self) -> str:
        """For SQL: the deliveries' ids from, and below, and when it ended. Nothing in it is from outside."""
        low = _first_uuid(self.first) if self.first else UUID(int=0)
        return f"('{low}'::uuid, '{_first_uuid(self.ends)}'::uuid, '{self.ends}T00:00:00Z'::timestamptz)"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A deed that cannot be right; it accounts for nothing. `entry` is its own."""

    entry: int
    words: str


class Dropped:
    """Months of entries that were dropped; counts, while one looks, how many of each are gone."""

    def __init__(self, months: Sequence[Month] = (), doubtful: Sequence[Doubtful] = ()) -> None:
        self.months = months
        self.doubtful = doubtful
        self.gone = [0] * len(months)
        self._last = 0

    def covers(self, entry: int) -> bool:
        """Whether that entry, which is not there, is one that retention may have dropped."""
        if self.months and not self.months[self._last].has(entry):
            self._last = next((place for place, month in enumerate(self.months) if month.has(entry)), -1)
        if not self.months or self._last < 0:
            self._last = 0
            return False
        self.gone[self._last] += 1
        return True

    def table(self) -> str:
        """For SQL: a relation with the columns low, high (uuid) and ends (timestamptz)."""
        rows = ", ".join(month.row() for month in self.months)
        none = "SELECT NULL::uuid, NULL::uuid, NULL::timestamptz WHERE false"
        return f"({f'VALUES {rows}' if rows else none}) AS dropped (low, high, ends)"


async def read_dropped(connection: Any, floor: timedelta) -> Dropped:
    """From the deeds as they stand, on a connection that reads rows as they are sealed. `floor`: the age that a month must have
    had. Whether a deed's hash is the one that was sealed shows when the tree is recomputed."""
    months: dict[tuple[date | None, date], Month] = {}
    doubtful: list[Doubtful] = []
    for line in await all_lines(connection, _DEEDS):
        kept, _, own = line.partition(b"\t")
        entry = json.loads(leaf(own))
        try:
            month, count = _told(entry["detail"], datetime.fromisoformat(entry["at"]) - floor)
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            words = (
                str(wrong)
                if isinstance(wrong, _WrongDeed)
                else "it does not say what a deed of retention says"
            )
            doubtful.append(Doubtful(entry["id"], words))
            continue
        if month is None:
            continue
        key = month.first, month.ends
        known = months.get(key, month)
        if not kept:
            months[key] = replace(known, waiting=known.waiting + count)
        elif leaf_hash(leaf(own)) == bytes.fromhex(kept.decode())[:HASH]:
            months[key] = replace(known, sealed=known.sealed + count)
    return Dropped([months[key] for key in sorted(months, key=lambda key: key[1])], doubtful)


class _WrongDeed(ValueError):
    """What a deed says cannot have been; the text says why."""


def _told(detail: dict[str, Any], youngest: datetime) -> tuple[Month | None, int]:
    """The month of entries that a deed tells of, and how many of its entries. Raises ValueError, KeyError, TypeError, AttributeError."""
    ends = date.fromisoformat(detail["beyond"])
    if datetime(ends.year, ends.month, ends.day, tzinfo=UTC) > youngest:
        raise _WrongDeed("it tells that a month was dropped which was too young for that")
    if detail["class"] != "entries":
        return None, 0
    low, high = detail["entries"]
    first = None if low is None else date(low // ROOM // 100, low // ROOM % 100, 1)
    count = int(detail["dropped"].get("entries", 0))
    if (
        high != _first_id(ends)
        or (first is not None and (low != _first_id(first) or first >= ends))
        or count < 0
    ):
        raise _WrongDeed("the ids that it tells of are not those of its month")
    return Month(first, ends), count


def _first_id(month: date) -> int:
    return (month.year * 100 + month.month) * ROOM


def _first_uuid(month: date) -> UUID:
    """As first_uuid() in the store computes it."""
    milliseconds = int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7000 << 64 | 0x8000 << 48)


_SINCE = text(f"""
    SELECT e.detail ->> 'class' AS class, max(e.detail ->> 'beyond') AS beyond FROM entries e
     WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.hook = 'operator' AND e.outcome = '{OUTCOME}'
     GROUP BY 1 ORDER BY 1
""")


async def dropped_before(connection: AsyncConnection, tenants: Iterable[str]) -> dict[str, date]:
    """By class, the day before which rows of these tenants were dropped."""
    rows = await connection.execute(_SINCE, {"tenants": list(tenants)})
    return {row[0]: date.fromisoformat(row[1]) for row in rows}
