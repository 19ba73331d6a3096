"""Times as people type and read them."""

from datetime import UTC, datetime, timedelta

import pytest

from commands.times import ago, duration, parse_time

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T10:00", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T10:00:30+05:30", datetime(2026, 11, 25, 4, 30, 30, tzinfo=UTC)),
        ("2026-11-25T10:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        (" 7D ", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "7", "7y", "25.11.2026", "-2h", "999999w", "2026-13-01"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-25T10:00"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (40, "40 s"), (119, "119 s"), (180, "3 min"), (7200, "2 hours"), (86_400 * 3, "3 days")],
)
def test_a_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
    assert ago(NOW - timedelta(seconds=seconds), NOW) == f"{words} ago"
