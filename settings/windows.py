"""How long each intention may wait for what should follow it, and how often one looks (docs/contract.md)."""

# ruff: noqa: N815 - the keys are the platform's names of its hooks.

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from settings.table import Table

LONGEST = timedelta(days=3650)
OTHERS = timedelta(days=7)
"""For an intention that a later release, or a tenant's own file in hooks/, brings."""

_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT = re.compile(r"(\d{1,7}(?:\.\d{1,3})?) ?([smhdw])")
_WORDS = 'must be seconds, or a text such as "90s", "30m", "12h", "7d", "2w", and at most ten years'


def _window(value: object) -> timedelta:
    match value:
        case timedelta():
            window = value
        case int() | float() if not isinstance(value, bool) and 0 < value <= LONGEST.total_seconds():
            window = timedelta(seconds=value)
        case str() if found := _TEXT.fullmatch(value.strip()):
            window = timedelta(**{_UNIT[found[2]]: float(found[1])})
        case _:
            window = None
    if window is None or not timedelta(0) < window <= LONGEST:
        raise ValueError(_WORDS)
    return window


Window = Annotated[timedelta, BeforeValidator(_window)]


class Watch(Table):
    """Looks for intentions that nothing followed, every `interval` seconds."""

    interval: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0


class Windows(Table):
    """By intention: how long until its silence is a gap. The reasons for the defaults are in docs/contract.md."""

    validateUser: Window = timedelta(days=1)
    validateUpdateUser: Window = timedelta(days=1)
    preCreateUser: Window = timedelta(hours=1)
    preUpdateUser: Window = timedelta(hours=1)
    preProvision: Window = timedelta(days=7)

    def of(self, hook: str) -> timedelta:
        """The window of an intention, by the hook's name."""
        return getattr(self, hook) if hook in type(self).model_fields else OTHERS
