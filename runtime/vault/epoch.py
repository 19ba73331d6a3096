"""One key's time: the hour in which it seals, and when it is destroyed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

HOUR = 3600
_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)Z-(\d{2,5})")


@dataclass(frozen=True, slots=True, order=True)
class Epoch:
    """`hour` counts from 1970; `serial` counts the keys of one hour, which has more than one after a rotation."""

    hour: int
    serial: int = 0

    @property
    def name(self) -> str:
        """As files and lists call it: 2026-11-26T01Z-00."""
        return f"{self.begins:%Y-%m-%dT%H}Z-{self.serial:02d}"

    @property
    def begins(self) -> datetime:
        """The beginning of its hour."""
        return datetime.fromtimestamp(self.hour * HOUR, UTC)

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The epoch of that name."""
        if not (found := _NAME.fullmatch(name)):
            return None
        try:
            begins = datetime.strptime(found[1], "%Y-%m-%dT%H").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(int(begins.timestamp()) // HOUR, int(found[2]))

    def due(self, life: timedelta) -> datetime:
        """When it is destroyed: `life` (of what it seals) and an hour after the end of its own."""
        return self.begins + timedelta(hours=2) + life
