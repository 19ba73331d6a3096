"""Where in which file a mistake stands, and how it is shown."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from settings.mistakes import Inside, Mistake, Where, dotted
from settings.toml_lines import contents_of, line_of, lines_of


@dataclass(frozen=True, slots=True)
class Placed:
    """One mistake. `column` is None where only the line is known.

    `source` is that line's text; outside of rules, where a secret may have been written by mistake, up to its =.
    """

    file: Path
    line: int
    column: int | None
    where: str
    words: str
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        column = "" if self.column is None else f":{self.column}"
        return f"{self.file}:{self.line}{column}: {self.where}: {self.words}"


class _Source:
    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text.splitlines()
        self.lines = lines_of(text)
        self.contents = contents_of(text)


class Places:
    """The files of one configuration, and which part of it stands in which of them."""

    def __init__(self, path: Path, text: str, *, rules: bool = False) -> None:
        """`rules`: the file holds nothing but rules, so that all of it may be shown."""
        self._main = _Source(path, text)
        self._rules = rules
        self._moved: dict[Where, tuple[_Source, Where]] = {}

    def included(self, path: Path, text: str, under: Where, moved: list[tuple[Where, Where]]) -> None:
        """Parts of an included file: each with where it came to stand below `under`, and where it stands in the file."""
        source = _Source(path, text)
        for here, there in moved:
            self._moved[(*under, *here)] = (source, there)

    def place(self, mistake: Mistake) -> Placed:
        """The mistake with its file, line and, inside an expression, column."""
        where, words = mistake
        inside = next((part for part in where if isinstance(part, Inside)), None)
        path = tuple(part for part in where if not isinstance(part, Inside))
        source, below = self._origin(path)
        start = source.contents.get(below)  # pyright: ignore[reportArgumentType,reportCallIssue]
        if inside is None or start is None:
            line = line_of(source.lines, below)  # pyright: ignore[reportArgumentType]
            whole = self._rules or source is not self._main or "rules" in path
            return Placed(
                source.path, line, None, dotted(where), words, _shown(source.text, line, whole=whole)
            )
        line = start[0] + inside.line - 1
        column = inside.column + (start[1] - 1 if inside.line == 1 else 0)
        return Placed(source.path, line, column, dotted(where), words, _shown(source.text, line, whole=True))

    def _origin(self, path: Where) -> tuple[_Source, Where]:
        for length in range(len(path), 0, -1):
            if found := self._moved.get(path[:length]):
                source, there = found
                return source, (*there, *path[length:])
        return self._main, path


def unreadable(path: Path, text: str, line: int, column: int | None, words: str) -> Placed:
    """A place at which the file is no TOML. Its line is shown whole if the last header above is that of a rule."""
    lines = text.splitlines()
    headers = [shown for shown in lines[:line] if shown.lstrip().startswith("[")]
    whole = bool(headers) and "rules." in headers[-1]
    return Placed(path, line, column if whole else None, "", words, _shown(lines, line, whole=whole))


_SECRET = re.compile(r"\bsecret\s*=")


def _shown(lines: list[str], line: int, *, whole: bool) -> str:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if (whole and not _SECRET.search(text)) or text.lstrip().startswith("["):
        return text
    key, equals, _ = text.partition("=")
    return f"{key}= …" if equals else ""
