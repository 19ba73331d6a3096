"""Follows the log files of the stack and hands on what somebody should see."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

# The two forms of runtime.logs: a line for people, and one of JSON.
_FOR_PEOPLE = re.compile(rb"^\S+ \S+ (WARNING|ERROR|CRITICAL)\s+(.*)$")
_LOUD = ("warning", "error", "critical")
_AT_ONCE = 20
"""Lines handed on per look; the rest is counted and stays in the file."""


@dataclass(frozen=True)
class Line:
    """A line worth relaying: who wrote it, `warning`, `error` or `critical`, and the words."""

    part: str
    level: str
    text: str


@dataclass
class Relay:
    """Reads on from where each log ended when the relay was made."""

    logs: dict[str, Path]
    _read: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._read = {part: _size(log) for part, log in self.logs.items()}

    def lines(self) -> Iterator[Line]:
        """What was written since the last call, from WARNING up."""
        for part in self.logs:
            found = [line for raw in self._news(part) if (line := _loud(part, raw))]
            yield from found[:_AT_ONCE]
            if len(found) > _AT_ONCE:
                yield Line(part, "warning", f"{len(found) - _AT_ONCE} more lines in {self.logs[part]}")

    def _news(self, part: str) -> list[bytes]:
        size = _size(self.logs[part])
        if size <= self._read[part]:
            self._read[part] = size
            return []
        with self.logs[part].open("rb") as file:
            file.seek(self._read[part])
            news = file.read(size - self._read[part])
        whole = news.rfind(b"\n") + 1  # the rest of a line that is being written comes with the next look
        self._read[part] += whole
        return news[:whole].splitlines()


def _loud(part: str, raw: bytes) -> Line | None:
    if found := _FOR_PEOPLE.match(raw):
        return Line(part, found[1].decode().lower(), found[2].decode(errors="replace"))
    if raw.startswith(b"{"):
        try:
            entry = cast("dict[str, Any]", json.loads(raw))
        except ValueError:
            return None
        if entry.get("level") in _LOUD:
            return Line(part, entry["level"], f"{entry.get('from', '')}: {entry.get('message', '')}")
    return None


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0
