"""Finds the line on which a key of a TOML file stands, which tomllib does not keep."""

import re
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r'[ \t]*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+))[ \t]*')
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}\n#]+")


def lines_of(text: str) -> dict[Path, int]:
    """The first line (from 1) of every key in a TOML text that tomllib has accepted; array items by index."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def contents_of(text: str) -> dict[Path, tuple[int, int]]:
    """Line and column (from 1) at which the text of every string value begins."""
    scan = _Scan(text)
    scan.document()
    found: dict[Path, tuple[int, int]] = {}
    for path, start in scan.strings.items():
        found[path] = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    return found


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of the path, or of its nearest enclosing table if the key itself is not there."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


@dataclass
class _Scan:
    text: str
    at: int = 0
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    repeated: dict[Path, int] = field(default_factory=dict[Path, int])
    """Arrays of tables: the index of the last one seen."""
    strings: dict[Path, int] = field(default_factory=dict[Path, int])
    """Where the text of each string begins, behind its quotes and the first line break of a multi-line one."""

    def document(self) -> None:
        table: Path = ()
        self._blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._blank()

    def _header(self) -> Path:
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        line = self._line()
        parts = self._key()
        self.at += 2 if double else 1
        path: Path = ()
        for place, part in enumerate(parts, 1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if double and place == len(parts):
                self.repeated[path] = self.repeated.get(path, -1) + 1
            if path in self.repeated:
                path = (*path, self.repeated[path])
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.at += 1  # the "="
        self._blank()
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while match := _KEY_PART.match(self.text, self.at):
            parts.append(next(group for group in match.groups() if group is not None))
            self.at = match.end()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return parts

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._items("]", path)
        elif opening == "{":
            self._items("}", path)
        else:
            if opening in "\"'":
                long = self.text.startswith(opening * 3, self.at)
                start = self.at + (3 if long else 1)
                self.strings[path] = start + (long and self.text.startswith("\n", start))
            match = (_STRING if opening in "\"'" else _SCALAR).match(self.text, self.at)
            self.at = match.end() if match else self.at + 1

    def _items(self, closing: str, path: Path) -> None:
        self.at += 1
        self._blank()
        index = 0
        while not self.text.startswith(closing, self.at):
            if closing == "]":
                self.lines.setdefault((*path, index), self._line())
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._blank()
            if self.text.startswith(",", self.at):
                self.at += 1
                self._blank()
        self.at += 1

    def _blank(self) -> None:
        if match := _BLANK.match(self.text, self.at):
            self.at = match.end()

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
