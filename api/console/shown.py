"""How values stand on pages: times in UTC and in the tenant's zone, ids in short, details without the braces."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

from markupsafe import Markup

from ledger.report import plain


def zone(name: str) -> tzinfo | None:
    """The zone in which times are shown beside UTC; None if it is UTC itself."""
    found = ZoneInfo(name)
    return None if found.key in ("UTC", "Etc/UTC") else found


def moment(at: datetime | str, beside: tzinfo | None) -> Markup:
    """A time for people and for programs, to the second; beside it the same in the tenant's zone."""
    utc = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
    words = Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"), f"{utc:%Y-%m-%d %H:%M:%S}"
    )
    if beside is None:
        return words
    there = utc.astimezone(beside)
    form = "%H:%M:%S %Z" if there.date() == utc.date() else "%d %b %H:%M:%S %Z"
    return words + Markup(' <span class="zone">{}</span>').format(f"{there:{form}}")


def since(at: datetime, now: datetime) -> str:
    """How long ago, roughly; the precise time stands beside it."""
    seconds = max(0, round((now - at).total_seconds()))
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            many = seconds // size
            return f"{many} {name}{'s' if many > 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def short(id_: object) -> str:
    """The end of an id, by which people tell them apart: they begin with a time."""
    return f"…{str(id_)[-8:]}"


def detail(value: object) -> str:
    """A small object as text: `changed department, city`."""
    if isinstance(value, dict):
        whole = cast("dict[str, Any]", value)
        return "; ".join(f"{name} {_words(inner)}" for name, inner in whole.items())
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
        return ", ".join(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=plain)


def number(value: int) -> str:
    """With thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")


def day(value: date) -> Markup:
    """A day, for people and for programs."""
    return Markup('<time datetime="{0}">{0}</time>').format(value.isoformat())


_TONES = {
    "bad": {"failed", "refused", "secret_gone", "conflict", "fault", "rule fault", "braked", "turned away"},
    "wait": {"held", "waiting", "planned", "running", "duplicate", "passed unchecked", "not kept", "open"},
    "good": {"passed", "received", "created", "changed", "sent", "granted", "done", "ended", "read"},
}


def tone(outcome: object) -> str:
    """How an outcome is coloured. The word itself tells everything: colour only helps to find it."""
    return next((name for name, words in _TONES.items() if outcome in words), "plain")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment,
    "since": since,
    "short": short,
    "detail": detail,
    "number": number,
    "day": day,
    "tone": tone,
}
