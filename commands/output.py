"""What commands print: tables for people, lines of JSON for programs, and nothing that could steer a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.console import Console


def console() -> Console:
    """Standard output. Nothing is coloured for looking like a number or a path."""
    return Console(highlight=False, emoji=False)


def printable(text: str) -> str:
    """Text from elsewhere on one line; what is no letter or blank shows as a replacement character."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def as_json(value: Any) -> str:
    """One line. Times as ISO 8601, ids as text."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """One line of JSON for each row."""
    for row in rows:
        sys.stdout.write(as_json(dict(row)) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)
