"""The functions that expressions have beside CEL's own: what identity policies need (docs/rules.md lists them)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from anyascii import anyascii
from cel_expr_python import cel

from rules.normal import mobile

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_NOT_DIGIT = re.compile(r"\D+")
_Run = Callable[..., Any]
_TEXT, _TIME = cel.Type.STRING, cel.Type.TIMESTAMP


class Absent(LookupError):
    """There is nothing: a key that a table does not have. The expression then says nothing, as with an absent attribute."""

    def __init__(self) -> None:
        super().__init__(ABSENT)


ABSENT = "hookledger: absent"
"""What CEL's own error says when a function found nothing: the runtime gives texts only."""


class Surroundings(Protocol):
    """What the functions reach beyond their arguments."""

    region: str
    zone: ZoneInfo
    tables: dict[str, Mapping[str, str]]

    def changed(self, path: str) -> bool:
        """Whether the attribute differs from what was last known of the person now asked about."""
        ...

    def people(self) -> int:
        """Known people who are not archived."""
        ...

    def holders(self, application: str) -> int:
        """People who have the application."""
        ...


def transliterate(text: str) -> str:
    """In ASCII letters: José → Jose, Łukasz → Lukasz, 山田 → ShanTian."""
    return text if text.isascii() else anyascii(text)


def slug(text: str, between: str = "-") -> str:
    """a-z and 0-9 only, with `between` for everything else inside: "O'Brien Łuk" → o-brien-luk."""
    return _NOT_WORD.sub(between, transliterate(text).lower()).strip(between or None)


def digits(text: str) -> str:
    """The digits of a text."""
    return _NOT_DIGIT.sub("", text)


@lru_cache(maxsize=1024)
def parse_date(text: str, zone: ZoneInfo, pattern: str | None = None) -> datetime:
    """ISO 8601 as the platform writes it (2026-02-28T00:00, 2026-02-28), or by a strftime pattern; zone-less is `zone`'s."""
    moment = datetime.strptime(text, pattern) if pattern else datetime.fromisoformat(text)  # noqa: DTZ007
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def declare(around: Surroundings) -> list[cel.FunctionDecl]:
    """Every function, bound to what it reaches; in the order of NAMES."""

    def e164(number: str, region: str = "") -> str:
        return mobile(number, region=region or around.region)

    def parse(written: str, pattern: str | None = None) -> datetime:
        if not written.strip():
            raise Absent
        return parse_date(written, around.zone, pattern)

    def show(moment: datetime, pattern: str) -> str:
        return moment.astimezone(around.zone).strftime(pattern)

    def look_up(table: str, key: str, default: str | None = None) -> str:
        found = around.tables[table].get(key, default)
        if found is None:
            raise Absent
        return found

    def of_text(
        run: Callable[..., str], *more: list[cel.Type]
    ) -> list[tuple[_Run, cel.Type, list[cel.Type]]]:
        """Numbers come as numbers now and then, an employeeId or a mobile; they are text here."""

        def of_number(number: int) -> str:
            return run(str(number))

        return [(run, _TEXT, [_TEXT]), (of_number, _TEXT, [cel.Type.INT]), *((run, _TEXT, m) for m in more)]

    declared: dict[str, list[tuple[_Run, cel.Type, list[cel.Type]]]] = {
        "lower": of_text(str.lower),
        "transliterate": of_text(transliterate),
        "slug": of_text(slug, [_TEXT, _TEXT]),
        "digits": of_text(digits),
        "e164": of_text(e164, [_TEXT, _TEXT]),
        "parse_date": [(parse, _TIME, [_TEXT]), (parse, _TIME, [_TEXT, _TEXT])],
        "format_date": [(show, _TEXT, [_TIME, _TEXT])],
        "lookup": [(look_up, _TEXT, [_TEXT, _TEXT]), (look_up, _TEXT, [_TEXT, _TEXT, _TEXT])],
        "changed": [(around.changed, cel.Type.BOOL, [_TEXT])],
        "people": [(around.people, cel.Type.INT, [])],
        "holders": [(around.holders, cel.Type.INT, [_TEXT])],
    }
    return [
        cel.FunctionDecl(name, [_overload(name, *overload) for overload in overloads])
        for name, overloads in declared.items()
    ]


NAMES = (
    "lower", "transliterate", "slug", "digits", "e164", "parse_date", "format_date", "lookup", "changed", "people", "holders",
)  # fmt: skip


def _overload(name: str, run: _Run, result: cel.Type, parameters: list[cel.Type]) -> cel.Overload:
    ending = "_".join(p.name().lower() for p in parameters)
    return cel.Overload(f"{name}_{ending}", result, parameters, impl=run)
