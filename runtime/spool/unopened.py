"""Stands for the journal while its folder cannot be used: nothing is kept, and what lies there is not known."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from runtime.spool.journal import Entry, Figures, Journal, NoRoom
from runtime.spool.state import State


class Unopened(Journal):
    """Nobody records from it."""

    def __init__(self, folder: Path) -> None:
        self.state = _Unknown(folder)

    def append(self, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - whatever they are
        raise NoRoom

    @contextmanager
    def reading(self) -> Generator[bool]:
        yield False

    def figures(self) -> Figures:
        return Figures(records=0, octets=0, age=0.0, appended=0, replayed=0, damaged=0)

    def free(self) -> int:
        return 0

    def close(self) -> None:
        pass


class _Unknown(State):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def waits(self) -> bool:
        """Whether records may lie there: also where nobody can tell. Others of the host may write meanwhile: looks each time."""
        try:
            with os.scandir(self._folder) as found:
                return any(file.name.startswith("journal-") and file.stat().st_size for file in found)
        except OSError:
            return True

    def waits_for(self, places: Iterable[int]) -> bool:  # noqa: ARG002 - of whom they are stands in them
        return self.waits
