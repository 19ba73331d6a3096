"""What a tenant's rules say about one delivery, and what follows from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.receive import Wish
from settings.rules import Mode

NO_ANSWER = "ValidationUnavailable"
"""The refusal code when a decision cannot be made (DESIGN §6)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule said. `words` and `attributes` hold names and codes, never values; `value` may, and is not kept."""

    rule: str
    kind: str
    mode: Mode
    verdict: str
    """applies not, says nothing, fault, passes, refuses, sets, names, answers, keeps, removes."""
    code: str | None = None
    attributes: tuple[str, ...] = ()
    words: str = ""
    value: Any = field(default=None, repr=False)


@dataclass
class Opinion:
    """What all rules said of one delivery, and what follows from those that are on."""

    user: dict[str, Any] = field(repr=False)
    """As sent, or as the rules changed it."""
    findings: list[Finding] = field(default_factory=list[Finding])
    changed: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Attribute to value: what the rules changed."""
    wishes: list[Wish] = field(default_factory=list[Wish])
    refusal: Finding | None = None
    undecided: Finding | None = None
    """The first check in Python, switched on, that could not be made."""
    mapped: Any = None
    """policyMap's value; None if no rule gives one."""
    removes: bool | None = None
    """runDeprovision, by rules; None if there are none."""

    @property
    def failed(self) -> bool:
        """Whether a rule that is on went wrong."""
        return any(f.verdict == "fault" and f.mode == "on" for f in self.findings)

    @property
    def noted(self) -> Iterator[Finding]:
        """What the ledger keeps: refusals, what shadows would have done, and faults."""
        for finding in self.findings:
            if finding.verdict == "fault" or (finding.mode == "shadow" and finding.verdict in WOULD):
                yield finding


WOULD: Mapping[str, str] = {"refuses": "would refuse", "sets": "would set", "names": "would name", "answers": "would answer",
          "removes": "would remove", "keeps": "would keep"}  # fmt: skip
"""Verdicts that change an answer, and what the entry of one in shadow is called."""


def outcome_of(finding: Finding) -> str:
    """The entry's outcome for a noted finding."""
    return "rule fault" if finding.verdict == "fault" else WOULD[finding.verdict]
