"""Counts what a run finds, records it unless the run is dry, and tells whoever watches."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ledger.known import Known
from runtime.reconcile.compare import Finding, Missed
from runtime.reconcile.record import Recorder
from workflows.reconcile import Counts, Summary

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is said of one: ids and names of attributes. `receipt` is None in a dry run."""

    tenant: str
    difference: str
    platform_id: str | None
    subject: UUID | None
    receipt: UUID | None
    attributes: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `total` as the list counts."""

    doing: str
    counts: Counts
    total: int | None


@dataclass
class Tally:
    """One run's counts and notes. `found` is told each difference, `watch` how far it is."""

    recorder: Recorder
    dry_run: bool
    found: Callable[[Difference], None]
    watch: Callable[[Progress], None]
    counts: Counts = field(default_factory=Counts)
    notes: list[str] = field(default_factory=list[str])
    clean: bool = True

    def attend(self, note: str) -> None:
        """Something is left open that an operator should know of."""
        self.notes.append(note)
        self.clean = False

    def show(self, doing: str, total: int | None = None) -> None:
        """Tells how far the run is."""
        self.watch(Progress(doing, self.counts, total))

    async def record(self, finding: Finding, user: Json, known: Known | None, evidence: str) -> None:
        """Records one difference and counts it. Raises Unstorable."""
        receipt = None
        subject = known.subject if known is not None else None
        if not self.dry_run:
            receipt, got = await self.recorder.fact(finding, user, known, evidence)
            subject = got.subject
        match finding.missed:
            case Missed.CREATE:
                self.counts.created += 1
            case Missed.CHANGE:
                self.counts.changed += 1
            case Missed.REMOVAL:
                self.counts.removed += 1
        id_ = user.get("id")
        self.found(
            Difference(
                tenant=self.recorder.name,
                difference=finding.missed.value,
                platform_id=id_ if isinstance(id_, str) else None,
                subject=subject,
                receipt=receipt,
                attributes=finding.attributes,
                evidence=evidence,
            )
        )

    def summary(self) -> Summary:
        """How the run went."""
        counts = self.counts
        if counts.unclear:
            self.attend(
                f"differences that could not be looked at again, which the next run will: {counts.unclear:,}"
            )
        if counts.unreadable:
            self.attend(
                f"people who could not be read (no id, no login, or not storable): {counts.unreadable:,}"
            )
        return Summary(counts, self.notes, self.clean)
