"""Entries told as a story: each delivery with what was answered, what was done about it, and what operators did to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.report import Row
from ledger.told import Piece

_BAD = frozenset({"failed", "refused", "secret_gone", "conflict", "braked"})


@dataclass(slots=True)
class Chapter:
    """One delivery, deed or reading. `kind`: hook, deed or access."""

    delivery: UUID
    at: datetime
    kind: str
    hook: str
    application: str | None
    outcomes: list[str] = field(default_factory=list[str])
    actor: str = ""
    acting_for: str | None = None
    details: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    done: list[Row] = field(default_factory=list[Row])
    """Entries of activities."""
    work: Sequence[Piece] = ()

    @property
    def bad(self) -> bool:
        return not _BAD.isdisjoint(self.outcomes) or any(
            piece.state == "held" or piece.outcome in _BAD for piece in self.work
        )


def told(rows: Sequence[Row], work: Mapping[UUID, Sequence[Piece]]) -> list[Chapter]:
    """Chapters in the order in which they began. What an activity did stands with its delivery, whenever it was done."""
    chapters: dict[UUID, Chapter] = {}
    for row in rows:
        chapter = chapters.get(row["delivery"])
        if chapter is None:
            chapter = chapters[row["delivery"]] = Chapter(
                row["delivery"],
                row["at"],
                {"operator": "deed", "access": "access"}.get(row["hook"], "hook"),
                row["hook"],
                row["application"],
                work=work.get(row["delivery"], ()),
            )
        if row["activity"] is not None and chapter.kind == "hook":
            chapter.done.append(row)
            continue
        if row["outcome"] not in chapter.outcomes:
            chapter.outcomes.append(row["outcome"])
        chapter.actor, chapter.acting_for = row["actor"], row["acting_for"]
        detail = {**row["detail"]} | ({"activity": row["activity"]} if row["activity"] else {})
        if detail:
            chapter.details.append(detail)
    return list(chapters.values())
