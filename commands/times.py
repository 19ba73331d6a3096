"""Times as people type and read them: 7d, 2026-11-25T10:00, "3 min ago". All of them UTC."""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHORT = {"minutes": "min", "hours": "hours", "days": "days"}


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """A moment: `90s`, `30m`, `2h`, `7d`, `2w` back from now, or ISO 8601, UTC unless it says otherwise.

    Raises ValueError, whose text names the forms.
    """
    plain = text.strip().lower()
    now = now or datetime.now(UTC)
    try:
        if ago := _AGO.fullmatch(plain):
            return now - timedelta(**{_UNIT[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(
            "a time is 2026-11-25, 2026-11-25T10:00 (UTC), or 90s, 30m, 2h, 7d, 2w ago"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(seconds: float) -> str:
    """About how long: `40 s`, `3 min`, `5 hours`, `12 days`."""
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {_SHORT[unit]}"
    return f"{max(seconds, 0):.0f} s"


def ago(at: datetime, now: datetime) -> str:
    """How long ago: `3 min ago`."""
    return f"{duration((now - at).total_seconds())} ago"
