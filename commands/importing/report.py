"""What an import says at its end: counts, and what it found, by line; never a value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ledger.importing import Counts, Finding

LEFT_OUT: Mapping[str, str] = {
    "no login": "has no login",
    "no user": "is no JSON object",
    "bad JSON": "is not valid JSON",
    "encoding": "is not in the file's encoding",
    "columns": "has not as many cells as the first line",
    "too deep": "is nested too deeply",
    "too large": "is too large",
}
"""Kinds of rows that cannot be written."""
KEPT: Mapping[str, str] = {
    "clash": "is also that of",
    "repeated": "is about the person of",
    "no number": "is no telephone number; compared as text",
    "no address": "is no e-mail address; compared as text",
    "no date": "is no date in the form expected",
}
"""Kinds of rows that are written all the same."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file. `line` is the last that is done; `complete` is False if that is not the last."""

    tenant: str
    file_hash: str
    dry_run: bool
    complete: bool
    line: int
    counts: Counts
    kinds: Mapping[str, int]
    ignored: tuple[str, ...]
    seconds: float

    @property
    def code(self) -> int:
        """The exit code: 1 if rows were left out or values clash, 130 if it was stopped."""
        if not self.complete:
            return 130
        return int(self.counts.left_out > 0 or self.kinds.get("clash", 0) > 0)

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {
            "tenant": self.tenant,
            "file_hash": self.file_hash,
            "dry_run": self.dry_run,
            "complete": self.complete,
            "line": self.line,
            "rows": self.counts.rows,
            **asdict(self.counts),
            "findings": dict(self.kinds),
            "ignored_columns": list(self.ignored),
            "seconds": round(self.seconds, 1),
        }


def words(finding: Finding) -> str:
    """One sentence."""
    what = LEFT_OUT.get(finding.kind) or KEPT[finding.kind]
    subject = finding.attribute or "the row"
    return f"{subject} {what}{' ' if finding.other else ''}{finding.other}"


def show(console: Console, report: Report, first: Sequence[Finding]) -> None:
    """Counts, kinds, and the first findings."""
    counts, would = report.counts, "would be " if report.dry_run else ""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    for number, what in (
        (counts.created, f"{would}new"),
        (counts.updated, f"{would}changed"),
        (counts.unchanged, "known already, and the same"),
        (counts.older, "older than what is known"),
        (counts.left_out, f"{would}left out"),
    ):
        if number or what.endswith("new"):
            table.add_row(f"{number:,}", what)
    console.print(table)
    if report.ignored:
        console.print(f"columns not read: {', '.join(report.ignored)}", markup=False)
    if not first:
        return
    total = sum(report.kinds.values())
    listed = Table("line", "", "what", box=None, pad_edge=False)
    for finding in first:
        fate = "left out" if finding.kind in LEFT_OUT else "kept"
        listed.add_row(str(finding.line), fate, words(finding))
    console.print(listed)
    if total > len(first):
        console.print(f"and {total - len(first):,} more: --json prints all, one a line")
