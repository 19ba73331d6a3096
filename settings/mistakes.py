"""Mistakes in the configuration, in words: where, what is wrong, what to do; never the wrong value."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel, ValidationError


class Inside(NamedTuple):
    """The last part of a place: line and column (from 1) inside the text that stands there."""

    line: int
    column: int


Where = tuple[str | int | Inside, ...]
Mistake = tuple[Where, str]

CHOICES = (
    "runDeprovision decides whether access is removed, so the choice is yours to make: "
    'answer = "always" (true, access is removed), "rules" (your rules decide) or "never" (false, it stays)'
)


class TableError(ValueError):
    """Raised by a validator that looks at a whole table: the places are relative to it."""

    def __init__(self, *found: Mistake) -> None:
        super().__init__("; ".join(words for _, words in found))
        self.found = found


def in_words(error: ValidationError, root: type[BaseModel]) -> Iterator[Mistake]:
    """Every mistake that pydantic found in the table `root`, in our words."""
    for found in error.errors(include_input=False, include_url=False):
        where = tuple(part for part in found["loc"] if part != "[key]")
        cause = found.get("ctx", {}).get("error")
        if isinstance(cause, TableError):
            yield from (((*where, *below), words) for below, words in cause.found)
        elif found["type"] == "extra_forbidden":
            yield where, _unknown(where, root)
        elif words := _WORDS.get(found["type"]):
            yield where, words(where, found)
        else:
            yield where, str(cause or re.sub(r"^(Input|[A-Z]\w+) should ", "must ", found["msg"]))


def _missing(where: Where, _: Mapping[str, Any]) -> str:
    return f"is missing: {CHOICES}" if where[-1] in ("deprovision", "answer") else "is missing: add it"


def _no_choice(where: Where, found: Mapping[str, Any]) -> str:
    if where[-1] == "answer":
        return f"is none of the three choices: {CHOICES}"
    return f"must be {found['ctx']['expected']}".replace("'", "")


_WORDS: dict[str, Callable[[Where, Mapping[str, Any]], str]] = {
    "missing": _missing,
    "literal_error": _no_choice,
}


def _unknown(where: Where, root: type[BaseModel]) -> str:
    known = _fields_at(where[:-1], root)
    close = difflib.get_close_matches(str(where[-1]), known, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else f"unknown key; known are {', '.join(known)}"


def _fields_at(where: Where, root: type[BaseModel]) -> list[str]:
    """The keys that the table at this place may have."""
    table: Any = root
    for part in where:
        fields = {f.alias or name: f for name, f in cast("type[BaseModel]", table).model_fields.items()}
        if isinstance(part, str) and part in fields:
            table = _table_in(fields[part].annotation)
    return [field.alias or name for name, field in cast("type[BaseModel]", table).model_fields.items()]


def _table_in(annotation: Any) -> Any:
    """The table's class inside `X | None`, `tuple[X, ...]` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _table_in(inner))), None)


def dotted(where: Where) -> str:
    """A place as people write it: tenants.as100.token.keys[0].secret."""
    parts = (part for part in where if not isinstance(part, Inside))
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")
