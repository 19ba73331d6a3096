"""Where in which file a mistake stands, and how it is shown."""

from dataclasses import dataclass, field
from pathlib import Path

from settings.mistakes import Inside, Mistake, Where, dotted
from settings.toml_lines import contents_of, line_of, lines_of


@dataclass(frozen=True, slots=True)
class Placed:
    """One mistake. `column` is None where only the line is known; `source` is that line's text, for expressions."""

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

    def __init__(self, path: Path, text: str) -> None:
        self._main = _Source(path, text)
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
            return Placed(source.path, line_of(source.lines, below), None, dotted(where), words)  # pyright: ignore[reportArgumentType]
        line = start[0] + inside.line - 1
        column = inside.column + (start[1] - 1 if inside.line == 1 else 0)
        text = source.text[line - 1] if line <= len(source.text) else ""
        return Placed(source.path, line, column, dotted(where), words, text)

    def _origin(self, path: Where) -> tuple[_Source, Where]:
        for length in range(len(path), 0, -1):
            if found := self._moved.get(path[:length]):
                source, there = found
                return source, (*there, *path[length:])
        return self._main, path
