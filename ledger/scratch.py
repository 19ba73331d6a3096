"""What a dry run keeps in mind of a file, in a temporary file of SQLite, so that memory stays bounded: hashes and lines."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from types import TracebackType
from typing import Self

from ledger.importing import Finding

Said = tuple[str, int, int, int, bool]
"""An attribute (a person's own names are ":login" and ":id"), the value's hash, the person's, the line, and whether
nobody answers to that person's names yet."""

_SCHEMA = """
    PRAGMA cache_size = -16384;
    PRAGMA temp_store = FILE;
    CREATE TABLE said (attribute TEXT, value INTEGER, person INTEGER, line INTEGER, fresh INTEGER);
    CREATE TABLE findings (line INTEGER, kind TEXT, attribute TEXT, other TEXT);
"""
_INDEX = "CREATE INDEX by_value ON said (attribute, value, line, person)"
_AGAIN = """
    SELECT s.line, s.attribute, f.line, s.fresh
      FROM said s
      JOIN (SELECT attribute, value, min(line) AS line FROM said GROUP BY attribute, value HAVING count(*) > 1) AS f
        ON f.attribute = s.attribute AND f.value = s.value AND s.line > f.line
      JOIN said o ON o.attribute = f.attribute AND o.value = f.value AND o.line = f.line
     WHERE s.attribute LIKE ':%' OR o.person <> s.person
     ORDER BY s.line, s.attribute
"""
_NOTED = "SELECT line, kind, attribute, other FROM findings ORDER BY line, kind, attribute LIMIT ? OFFSET ?"


class Scratch:
    """What the lines said, by hash, and what was found."""

    def __init__(self) -> None:
        # An empty name is a file that is gone when it is closed (SQLite, "Temporary Databases").
        self._db = sqlite3.connect("")
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add(self, said: Iterable[Said]) -> None:
        """Keeps what some lines said."""
        self._db.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?)", said)

    def again(self) -> Iterator[tuple[int, str, int, bool]]:
        """(line, attribute, first line, whether nobody answers to its names) of what another line said before."""
        self._db.execute(_INDEX)
        yield from self._db.execute(_AGAIN)

    def note(self, findings: Iterable[Finding]) -> None:
        """Keeps findings."""
        self._db.executemany("INSERT INTO findings VALUES (?, ?, ?, ?)", map(astuple, findings))

    def noted(self, limit: int, offset: int) -> list[Finding]:
        """Findings in the order of lines."""
        return [Finding(*row) for row in self._db.execute(_NOTED, (limit, offset))]

    def kinds(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return dict(self._db.execute("SELECT kind, count(*) FROM findings GROUP BY kind ORDER BY kind"))
