"""From the free columns of a CSV file to the attributes of a user: a mapping in TOML, or the columns' own names."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from settings.toml_lines import line_of, lines_of

# The names of CONTRACT B2.1, and what the platform's own dialog and usual exports call them.
_ATTRIBUTES = [
    "login",
    "firstName",
    "lastName",
    "middleName",
    "displayName",
    "email",
    "mobile",
    "landline",
    "countryCode",
    "country",
    "city",
    "address1",
    "address2",
    "userType",
    "department",
    "designation",
    "grade",
    "employeeId",
    "managerId",
    "orgUnitId",
    "associatedPartner",
    "dateOfBirth",
    "startDate",
    "endDate",
    "status",
    "version",
    "updated",
    "id",
]
_ALIASES = {
    "loginid": "login",
    "username": "login",
    "emailid": "email",
    "emailaddress": "email",
    "mail": "email",
    "mobilenumber": "mobile",
    "mobileno": "mobile",
    "phone": "mobile",
}
_BY_NAME = {name.lower(): name for name in _ATTRIBUTES} | _ALIASES
_DOTTED = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)+")
_LOOKS_LIKE_DATA = re.compile(r".*@.*|[\d\s+().-]{3,}", re.DOTALL)
_KEYS = {"column": str, "default": str, "split": str, "date": str}
_SETTINGS = frozenset({"user", "delimiter", "encoding"})
WHOLE_NUMBERS = frozenset({("version",)})
"""Attributes that are numbers on the platform: text would not order facts."""


class MappingError(Exception):
    """The mapping or the columns cannot be used; the text says what and where, and holds no data."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an attribute comes from. `date` is a pattern of strptime, `split` parts a list."""

    column: str | None = None
    default: str | None = None
    split: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of every row: its path in the user, and the place of its cell, if it has one."""

    path: tuple[str, ...]
    place: int | None
    source: Source

    @property
    def attribute(self) -> str:
        """The path, dotted."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Columns:
    """A whole file's. `ignored` are the names of columns that nothing is read from."""

    width: int
    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Names this way of reading."""
        return hashlib.sha256(repr((self.width, self.columns)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A mapping file."""

    user: Mapping[tuple[str, ...], Source] = field(default_factory=dict[tuple[str, ...], Source])
    delimiter: str | None = None
    encoding: str | None = None


def read_mapping(path: Path) -> ColumnMap:
    """Raises MappingError with all mistakes, one a line: `file:line: where: what is wrong`."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as wrong:
        raise MappingError(f"{path}: cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: must be text in UTF-8") from None
    except tomllib.TOMLDecodeError as wrong:
        raise MappingError(f"{path}: not valid TOML: {wrong}") from None
    found: dict[tuple[str, ...], Source] = {}
    mistakes: list[tuple[tuple[str, ...], str]] = [
        ((key,), "is not known here: [user], delimiter and encoding are")
        for key in data
        if key not in _SETTINGS
    ]
    user = data.get("user")
    if isinstance(user, dict):
        mistakes += _sources(cast("dict[str, Any]", user), (), found)
    if not found:
        mistakes.append((("user",), 'is missing or empty: write [user] and under it login = "Login"'))
    delimiter, encoding = data.get("delimiter"), data.get("encoding")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1):
        mistakes.append((("delimiter",), "must be one character"))
    if encoding is not None and not _is_encoding(encoding):
        mistakes.append((("encoding",), 'must be the name of an encoding, such as "utf-8" or "cp1252"'))
    if mistakes:
        lines = lines_of(text)
        placed = sorted((line_of(lines, where), ".".join(where), words) for where, words in mistakes)
        raise MappingError("\n".join(f"{path}:{line}: {where}: {words}" for line, where, words in placed))
    return ColumnMap(found, delimiter, encoding)


def _sources(
    table: dict[str, Any], above: tuple[str, ...], found: dict[tuple[str, ...], Source]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in table.items():
        path = (*above, *name.split("."))
        where = ("user", *above, name)
        if isinstance(value, str):
            found[path] = Source(column=value)
        elif not isinstance(value, dict):
            yield where, 'must be the name of a column, or a table as { column = "Login", default = "none" }'
        elif value.keys() & _KEYS.keys():  # pyright: ignore[reportUnknownMemberType]
            yield from _source(cast("dict[str, Any]", value), where, path, found)
        else:
            yield from _sources(cast("dict[str, Any]", value), path, found)


def _source(
    value: dict[str, Any],
    where: tuple[str, ...],
    path: tuple[str, ...],
    found: dict[tuple[str, ...], Source],
) -> Iterator[tuple[tuple[str, ...], str]]:
    wrong = [key for key, given in value.items() if key not in _KEYS or not isinstance(given, _KEYS[key])]
    for key in wrong:
        yield (*where, key), "is not known or is no text: column, default, split and date are"
    if not wrong and not value.keys() & {"column", "default"}:
        yield where, "needs a column, a default, or both"
    elif not wrong:
        found[path] = Source(**value)


def _is_encoding(name: object) -> bool:
    try:
        return isinstance(name, str) and bool("".encode(name) or True)
    except LookupError:
        return False


def columns_of(header: Sequence[str], mapping: ColumnMap | None) -> Columns:
    """What is read from which cell. Raises MappingError."""
    names = [name.strip() for name in header]
    twice = {name for name in names if name and names.count(name) > 1}
    if mapping is None:
        return _by_name(names, twice)
    found: list[Column] = []
    missing: list[str] = []
    for path, source in mapping.user.items():
        place = None
        if source.column is not None:
            if source.column.strip() not in names:
                missing.append(source.column)
                continue
            if source.column.strip() in twice:
                raise MappingError(f"column {source.column} stands twice in the file: name its columns apart")
            place = names.index(source.column.strip())
        found.append(Column(path, place, source))
    if missing:
        raise MappingError(
            f"the file has no column {', '.join(missing)}: check the mapping, spelling and delimiter"
        )
    used = {column.place for column in found}
    ignored = tuple(name for place, name in enumerate(names) if place not in used)
    return _with_login(Columns(len(names), tuple(found), ignored), names)


def _by_name(names: Sequence[str], twice: set[str]) -> Columns:
    found: dict[tuple[str, ...], Column] = {}
    for place, name in enumerate(names):
        path = _path_named(name)
        if path and path not in found and name not in twice:
            found[path] = Column(path, place, Source(name))
    used = {column.place for column in found.values()}
    ignored = tuple(name for place, name in enumerate(names) if place not in used)
    return _with_login(Columns(len(names), tuple(found.values()), ignored), names)


def _path_named(name: str) -> tuple[str, ...] | None:
    if _DOTTED.fullmatch(name):
        return tuple(name.split("."))
    known = _BY_NAME.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    return (known,) if known else None


def _with_login(columns: Columns, names: Sequence[str]) -> Columns:
    paths = {column.path for column in columns.columns}
    for path in paths:
        if outer := next((path[:n] for n in range(1, len(path)) if path[:n] in paths), None):
            raise MappingError(
                f"{'.'.join(path)} is inside {'.'.join(outer)}, which is also mapped: keep one"
            )
    if any(column.path == ("login",) for column in columns.columns):
        return columns
    if any(_LOOKS_LIKE_DATA.fullmatch(name) for name in names):
        raise MappingError("the first line holds data, it must hold the names of the columns")
    raise MappingError(
        f"no column is the login among {', '.join(names)}: name it in a mapping, --mapping FILE.toml, "
        'with [user] and under it login = "…"'
    )


class NoDate(ValueError):
    """A cell does not fit its column's `date` pattern."""


def cell_value(source: Source, cell: str) -> Any:
    """What a cell that is not empty says. Raises NoDate."""
    if source.split is not None:
        return [part for raw in cell.split(source.split) if (part := raw.strip())]
    if source.date is not None:
        try:
            moment = datetime.strptime(cell, source.date)  # noqa: DTZ007 - the platform's dates have no zone
        except ValueError:
            raise NoDate from None
        return moment.isoformat() if "%H" in source.date or "%I" in source.date else moment.date().isoformat()
    return cell
