"""The platform's own API as a tenant's call-backs reach it, and how its user list is reconciled."""

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from settings.references import ReferencedIfThere
from settings.table import Table

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_EVERY = re.compile(r"every ([1-9]\d{0,4}) ?(m|minutes?|h|hours?|d|days?)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_CRON = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_NAMES = re.compile(
    r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat", re.IGNORECASE
)
_PART = re.compile(r"(\*|\d+(-\d+)?)(/[1-9]\d*)?")
_LEAST = timedelta(minutes=5)


def safe_address(url: str) -> str:
    """The address, if a token may travel to it. Raises ValueError."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or not parts.hostname or parts.username or parts.password:
        raise ValueError("must be an https:// address without user name: the token travels to it")
    return url


class Platform(Table):
    """The REST API of one tenant's platform: `url` up to the services' names, `token` of an API client.

    reconcile: "off", "every 6h", or a cron text of five fields in UTC. Times are seconds.
    brake, brake_share: more removals in one run than both of them, the number and the share of everybody known,
    are recorded as an incident instead.
    settle: how long a difference must have stood before it is believed, so that a hook on its way can arrive.
    actor: as whom our own calls come back, as the ledger names them (`user:…`, `actor:…`).
    loop_window, loop_depth: a hook about a person whom an activity called about so long before was caused by it; in a row
    of so many calls no activity makes another.
    ignore: attributes whose values are never compared.
    """

    url: str
    token: Annotated[str | None, ReferencedIfThere] = Field(repr=False)
    reconcile: str = "off"
    run_activities: bool = False
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    sort_on: Annotated[str, Field(max_length=64)] = "id"
    ignore: tuple[str, ...] = ()
    settle: Annotated[float, Field(ge=0, le=3600)] = 30
    timeout: Annotated[float, Field(gt=0, le=600)] = 30
    brake: Annotated[int, Field(ge=0)] = 50
    brake_share: Annotated[float, Field(ge=0, le=1)] = 0.02
    actor: str | None = None
    loop_window: Annotated[float, Field(gt=0, le=3600)] = 60
    loop_depth: Annotated[int, Field(ge=1, le=100)] = 3

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        if urlsplit(url).query or urlsplit(url).fragment:
            raise ValueError(
                "must end before the services' names, without ? and #: https://as100.example.com"
            )
        return safe_address(url).rstrip("/")

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, token: str | None) -> str | None:
        if token is not None and not re.fullmatch(r"[!-~]+", token):
            raise ValueError("must be the token alone: one line of letters, digits and signs, without blanks")
        return token

    @field_validator("reconcile")
    @classmethod
    def _is_a_time(cls, text: str) -> str:
        if text != "off" and interval(text) is None:
            _check_cron(text)
        return text

    def limit(self, known: int) -> int:
        """How many removals one run may record, of so many known and present people."""
        return max(self.brake, int(self.brake_share * known))


def interval(text: str) -> timedelta | None:
    """What "every 6h" or "every 30 minutes" says; None if the text is no interval. Raises ValueError."""
    if (found := _EVERY.fullmatch(text)) is None:
        return None
    span = int(found[1]) * _UNITS[found[2][0]]
    if span < _LEAST:
        raise ValueError(
            'is too often: "every 5m" is the least, and a run that still goes on is never joined'
        )
    return span


def _check_cron(text: str) -> None:
    fields = text.split()
    if len(fields) != len(_CRON):
        raise ValueError(
            'must be "off", "every 6h", or a cron text of five fields, such as "30 2 * * *" (UTC)'
        )
    for (name, least, most), field in zip(_CRON, fields, strict=True):
        if name in ("month", "day of the week"):
            field = _NAMES.sub(str(least), field)  # noqa: PLW2901
        for part in field.split(","):
            found = _PART.fullmatch(part)
            if found is None:
                raise ValueError(f"the cron text's {name} must be *, numbers, ranges or steps")
            numbers = [int(n) for n in re.findall(r"\d+", found[1])]
            if any(n < least or n > most for n in numbers):
                raise ValueError(f"the cron text's {name} must be {least} to {most}")
