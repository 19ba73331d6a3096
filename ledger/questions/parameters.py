"""What may be asked of a question: models of which command lines, query strings and forms are made alike."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_LONGEST = 256
_BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
_END = datetime(9999, 12, 30, tzinfo=UTC)
_PERIOD = re.compile(r"(\d{4})(?:[-]?Q([1-4])|-(\d\d))?", re.IGNORECASE)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must be text without control characters")
    return text


def _known_period(text: str) -> str:
    span_of(text)
    return text


Moment = Annotated[datetime, AfterValidator(_utc)]
"""UTC unless it says otherwise."""
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_plain)]
Period = Annotated[str, Field(max_length=7), AfterValidator(_known_period)]
"""A year, a quarter or a month: 2026, 2026Q4, 2026-11."""


class Parameters(BaseModel):
    """Of every question: whose ledger. No mistake repeats what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    tenant: Name = Field(description="The tenant, by its name in hookledger.toml.")

    def values(self) -> dict[str, Any]:
        """What the SQL binds."""
        return self.model_dump()

    def told(self) -> dict[str, Any]:
        """As an entry may keep them: JSON, and no name of a person."""
        return self.model_dump(mode="json", exclude_none=True)


class AboutPerson(Parameters):
    """Of one person. The SQL binds `:people`, the pseudonyms of all who were ever called so."""

    person: Name = Field(
        description="Any login they ever had, the platform's id, or the pseudonym from the ledger."
    )

    def values(self) -> dict[str, Any]:
        """Without the name: it has been looked up."""
        return self.model_dump(exclude={"person"})

    def told(self) -> dict[str, Any]:
        """Without the name: the entry names the pseudonyms."""
        return self.model_dump(mode="json", exclude={"person"}, exclude_none=True)


class Span(Parameters):
    """Between two moments; the SQL binds both, whether given or not."""

    since: Moment | None = Field(
        default=None, description="From then on: 2026-11-25 or 2026-11-25T10:00 (UTC)."
    )
    until: Moment | None = Field(default=None, description="Up to then; the moment itself is left out.")

    def values(self) -> dict[str, Any]:
        """Open ends are the beginning and the end of time."""
        return super().values() | {"since": self.since or _BEGINNING, "until": self.until or _END}


class PersonSpan(AboutPerson, Span):
    """Of one person, between two moments."""

    def values(self) -> dict[str, Any]:
        """Both."""
        return Span.values(self) | {}


class OfPeriod(Parameters):
    """Of a year, a quarter or a month; the SQL binds `:since` and `:until`."""

    period: Period = Field(description="A year, a quarter or a month: 2026, 2026Q4, 2026-11.")

    def values(self) -> dict[str, Any]:
        """The period's first moment, and the next one's."""
        since, until = span_of(self.period)
        return super().values() | {"since": since, "until": until}


def span_of(period: str) -> tuple[datetime, datetime]:
    """First moment of a period and of the next. Raises ValueError, whose text names the forms."""
    found = _PERIOD.fullmatch(period)
    if found is None or not (1 <= int(found[1]) <= 9998 and 1 <= int(found[3] or 1) <= 12):
        raise ValueError("must be a year, a quarter or a month: 2026, 2026Q4, 2026-11")
    year, quarter, month = int(found[1]), found[2], found[3]
    first, months = (
        (1, 12) if not (quarter or month) else (3 * int(quarter) - 2, 3) if quarter else (int(month), 1)
    )
    last = year * 12 + first - 1 + months
    return datetime(year, first, 1, tzinfo=UTC), datetime(last // 12, last % 12 + 1, 1, tzinfo=UTC)


def day_of(day: date) -> tuple[datetime, datetime]:
    """A UTC day's first moment, and the next day's."""
    begin = datetime.combine(day, time(), UTC)
    return begin, begin + timedelta(days=1)
