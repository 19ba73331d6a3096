"""What may be asked of a pack, and the entries that it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from ledger.questions.parameters import Name, Span


class PackAsked(Span):
    """The entries of one tenant, between two moments, of one person, of one application; and whether bodies are in it."""

    person: Name | None = Field(
        default=None, description="Any login they ever had, the platform's id, or the pseudonym."
    )
    application: Name | None = Field(default=None, description="The platform's id of an application.")
    bodies: bool = Field(
        default=False, description="Also what the platform sent, without secrets: personal data in full."
    )

    def told(self) -> dict[str, Any]:
        """Without the person's name: the entry names the pseudonyms."""
        return self.model_dump(mode="json", exclude={"person"}, exclude_none=True)

    @property
    def whole(self) -> bool:
        """Whether it means everything of its tenant in that time."""
        return self.person is None and self.application is None


def moment(at: datetime) -> str:
    """As `at` of a leaf is written, so that both compare as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Selection:
    """What follows `e.tenant = $1` in the condition on `entries e`, with the values for `$1` and so on."""

    more: str
    values: Sequence[Any]


def select(asked: PackAsked, people: Sequence[UUID] | None) -> Selection:
    """Only what is asked becomes a condition, so that the plan is made for that."""
    given = {"e.at >=": asked.since, "e.at <": asked.until, "e.application =": asked.application}
    conditions = {sql: value for sql, value in given.items() if value is not None}
    more = "".join(f" AND {sql} ${n}" for n, sql in enumerate(conditions, 2))
    values: list[Any] = [asked.tenant, *conditions.values()]
    if people is not None:
        values.append(list(people))
        more += f" AND e.subject = ANY (${len(values)}::uuid[])"
    return Selection(more, values)
