"""Which fields of the configuration hold secrets, and where this one takes them from: never what they are."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from settings.loading import parse
from settings.models import Settings, is_empty_spare
from settings.references import Free, Referenced, ReferencedIfThere, located
from settings.table import Table
from settings.tls import Tls

Place = tuple[str, ...]
"""Names from the root; `*` stands for any name, `#` for any place in a list, `**` for anything below."""

_FREE = get_args(Free)[1]


@dataclass(frozen=True, slots=True)
class Source:
    """One secret as configured. `place` is that of the field, `at` the dotted path of this one, with its `name` if it has any."""

    place: Place
    at: str
    name: str
    tenant: str | None
    kind: Literal["env", "file"]
    target: str
    there: bool
    """Whether this process can read it: some secrets are given to one process only."""
    changed: datetime | None
    """When its file was; nobody knows it of a variable."""


def secret_places(of: Any = Settings, metadata: Iterable[Any] = (), under: Place = ()) -> Iterator[Place]:
    """The fields that are references to secrets, or name the file of a private key."""
    marks = list(metadata)
    if Referenced in marks or ReferencedIfThere in marks:
        yield under
    elif _FREE in marks:
        yield (*under, "**")
    elif of is Tls:
        yield (*under, "key")
    elif isinstance(of, type) and issubclass(of, Table):
        for name, field in of.model_fields.items():
            yield from secret_places(field.annotation, field.metadata, (*under, name))
    elif (origin := get_origin(of)) is Annotated:
        inner, *more = get_args(of)
        yield from secret_places(inner, more, under)
    elif origin in (Union, UnionType):
        for one in get_args(of):
            yield from secret_places(one, (), under)
    elif origin is dict:
        yield from secret_places(get_args(of)[1], (), (*under, "*"))
    elif origin in (tuple, list):
        yield from secret_places(get_args(of)[0], (), (*under, "#"))


def sources(path: Path | None = None) -> list[Source]:
    """Where this configuration takes its secrets from. Raises ConfigError if it is no TOML."""
    path = path or Path(os.environ.get("HOOKLEDGER_CONFIG") or "hookledger.toml")
    _, data = parse(path)
    root = path.resolve().parent
    found: list[Source] = []
    for place in dict.fromkeys(secret_places()):
        for names, value, around in _at(place, data, (), {}):
            kind, target = _reference(value, plain=place[-1:] == ("key",))
            if kind is None or is_empty_spare(around, root):
                continue
            file = located(root, target)
            found.append(
                Source(
                    place=place,
                    at=".".join(names),
                    name=str(around.get("name", "")),
                    tenant=names[1] if names[0] == "tenants" else None,
                    kind=kind,
                    target=target,
                    there=target in os.environ if kind == "env" else os.access(file, os.R_OK),
                    changed=_changed(file) if kind == "file" else None,
                )
            )
    return found


def _at(
    place: Place, value: Any, names: Place, around: dict[str, Any]
) -> Iterator[tuple[Place, Any, dict[str, Any]]]:
    """What stands at that place, with its own path and the table around it."""
    if not place:
        yield names, value, around
        return
    table = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    first, rest = place[0], place[1:]
    if first == "**":
        if _reference(value)[0]:
            yield names, value, around
            return
        listed = enumerate(cast("list[Any]", value)) if isinstance(value, list) else table.items()
        for key, inner in listed:
            yield from _at(place, inner, (*names, str(key)), table)
    elif first == "*":
        for key, inner in table.items():
            yield from _at(rest, inner, (*names, key), table)
    elif first == "#":
        for number, inner in enumerate(cast("list[Any]", value) if isinstance(value, list) else []):
            yield from _at(rest, inner, (*names, str(number)), table)
    elif first in table:
        yield from _at(rest, table[first], (*names, first), table)


def _reference(value: Any, *, plain: bool = False) -> tuple[Literal["env", "file"] | None, str]:
    """What is referred to. A certificate's key is named by its path alone: `plain`."""
    match value:
        case {"env": str(target), **more} if not more:
            return "env", target
        case {"file": str(target), **more} if not more:
            return "file", target
        case str(target) if plain:
            return "file", target
        case _:
            return None, ""


def _changed(file: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return None
