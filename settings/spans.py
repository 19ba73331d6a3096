"""Spans of hours to years as they are written in hookledger.toml, and the law's floor under what must be kept."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

FLOOR = timedelta(days=365)
"""India's DPDP rules ask for one year (docs/comply.md). The store holds to it as well, whatever is configured
(migrations, legal_floor())."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=366)}
"""A year is never shorter than a year."""
_TEXT = re.compile(r"(\d{1,5}) ?([hdwy])")
_LONGEST = timedelta(days=36_600)
_WORDS = 'must be a text such as "12h", "35d", "6w" or "1y", and at most a hundred years'


def _span(value: object) -> timedelta:
    match value:
        case timedelta():
            span = value
        case str() if found := _TEXT.fullmatch(value.strip()):
            span = int(found[1]) * _UNITS[found[2]]
        case _:
            span = None
    if span is None or not timedelta(0) <= span <= _LONGEST:
        raise ValueError(_WORDS)
    return span


def _kept(value: object) -> timedelta | None:
    if value is None or value == "forever":
        return None
    try:
        kept = _span(value)
    except ValueError:
        kept = timedelta(0)
    if not kept:
        raise ValueError(f'{_WORDS}; or "forever"')
    return kept


Span = Annotated[timedelta, BeforeValidator(_span)]
"""A time that may be none at all."""
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]
"""How long something is kept; None: forever."""
