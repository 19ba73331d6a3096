"""What is configured for one process and cannot be read in this one: a mistake in that one only."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from settings.metrics import Process
from settings.mistakes import Mistake, Where
from settings.models import Settings
from settings.references import Missing


@dataclass(frozen=True, slots=True)
class Lack:
    """One file or variable, and which process needs it."""

    process: Process
    mistake: Mistake


def lacking(settings: Settings) -> Iterator[Lack]:
    """Certificates of listeners, which those who listen read; references of activities, which the worker runs."""
    for process, tls in (("api", settings.api.tls), ("query", settings.query.tls)):
        for name, file in () if tls is None else tls:
            if file is not None and not os.access(file, os.R_OK):
                words = f"cannot read {file}: check the path (relative to this file) and its permissions"
                yield Lack(cast("Process", process), ((process, "tls", name), words))
    for where, missing in _missing(settings.activities, ("activities",)):
        yield Lack("worker", (where, missing.words))


def _missing(value: Any, where: Where) -> Iterator[tuple[Where, Missing]]:
    if isinstance(value, Missing):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _missing(inner, (*where, key))
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[Any]", value)):
            yield from _missing(inner, (*where, place))
