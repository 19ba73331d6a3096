"""What an answer is evidenced by: the question as it was asked, how many rows, and a hash that anybody can compute again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

Row = Mapping[str, Any]
"""Values of an answer by column, in the order of the columns: text, numbers, datetimes in UTC, UUIDs, JSON."""


def line(row: Row) -> str:
    """A row as its hash sees it: one line of JSON, columns in order, no blanks between, not escaped beyond need.

    Times are ISO 8601 with +00:00, ids text in lower case. Ends with a line feed.
    """
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=plain) + "\n"


def plain(value: object) -> str:
    """What JSON has no form for. Raises TypeError."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What goes with an answer, a page or a whole one. `sha256` is over the `line` of each row, in UTF-8, in order."""

    question: str
    title: str
    parameters: Mapping[str, Any]
    """As asked: it goes to whoever asked."""
    people: tuple[UUID, ...] | None
    """Whom the parameter `person` names; None if there is no such parameter."""
    asked_at: datetime
    rows: int
    sha256: str
    receipt: UUID | None
    """Of the entry that says who read it; None if the answer tells of nobody."""
    notes: Sequence[str] = ()
    """What the rows cannot say, because it was dropped."""

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "question": self.question,
            "title": self.title,
            "parameters": dict(self.parameters),
            "people": None if self.people is None else [str(p) for p in self.people],
            "asked_at": self.asked_at.isoformat(),
            "rows": self.rows,
            "sha256": self.sha256,
            "receipt": None if self.receipt is None else str(self.receipt),
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class Tally:
    """Counts and hashes rows as they go by."""

    rows: int = 0
    _hash: Any = field(default_factory=sha256)

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows += 1
        self._hash.update(line(row).encode())

    @property
    def sha256(self) -> str:
        """Of the rows so far, in hexadecimal."""
        return self._hash.hexdigest()


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets run a cell that begins so (OWASP, CSV injection)."""


def cell(value: Any) -> str:
    """A value for CSV: text that a spreadsheet would run gets an apostrophe before it; nothing is an empty cell."""
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case bool() | dict() | list():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
        case int() | float():
            return str(value)
        case _:
            return plain(value)
