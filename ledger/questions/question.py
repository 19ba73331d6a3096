"""What a question is: its words, what may be asked of it, the columns of its answer, and its SQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

from ledger.questions.parameters import Parameters

Kind = Literal["time", "day", "text", "number", "flag", "id", "person", "login", "names", "detail"]
"""What stands in a column: times are UTC; `person` is a pseudonym (UUID), `names` a list of texts, `detail` an object."""

_FIRST: Mapping[Kind, Any] = {
    "time": datetime.min.replace(tzinfo=UTC),
    "day": date.min,
    "text": "",
    "number": -1,
    "id": UUID(int=0),
    "person": UUID(int=0),
}
"""Before the first row, by kind: a page's condition is then the same for every page, and an index answers it."""
_NAME = re.compile(r"[a-z]+(-[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer."""

    name: str
    kind: Kind
    description: str
    brief: bool = True
    """Shown where there is little room, too."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. What it is made of is all there is to it: command, call and page are made from it.

    `sql` is one SELECT with `:name` parameters: `:tenant`; what `parameters.values()` gives; `:people`, if
    `parameters` is AboutPerson; `:hooks` and `:facts`, if it names them. It is ordered by the columns of `key`, which
    tell its rows apart, begins after `(:after_KEY, …)`, and ends with `LIMIT :limit`.
    """

    name: str
    """Of the command `./hookledger ledger NAME` and of the call `GET /ledger/NAME`."""
    title: str
    """In a few words, for lists and headings."""
    words: str
    """What the answer tells and how it is known, for whoever reads it."""
    parameters: type[Parameters]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sql: str
    personal: bool = True
    """Its answer tells of persons: each time it is answered, an entry says to whom."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        missing = [f":after_{k}" for k in self.key if f":after_{k}" not in self.sql or k not in names]
        missing += [part for part in (":tenant", "LIMIT :limit") if part not in self.sql]
        if missing or not _NAME.fullmatch(self.name) or not self.key or len(set(names)) < len(names):
            raise ValueError(
                f"the question {self.name} does not hold together: {', '.join(missing) or 'its names'}"
            )

    def first(self) -> tuple[Any, ...]:
        """The key before the first row."""
        return tuple(_FIRST[self.kind(name)] for name in self.key)

    def kind(self, name: str) -> Kind:
        """What stands in that column."""
        return next(column.kind for column in self.columns if column.name == name)
