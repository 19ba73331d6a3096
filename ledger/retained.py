"""What a round of retention tells its workflow: counts and sentences, nobody's name. Standard library only, for the sandbox."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One month of a class, or the rows of one: by store, what was dropped, or would be."""

    class_: str
    month: str
    dropped: dict[str, int]
    kept: dict[str, int] = field(default_factory=dict[str, int])
    trouble: str = ""
    """Why it was put off; empty if it was done."""


@dataclass(frozen=True, slots=True)
class Retained:
    """One round."""

    made: int
    """Months made ahead."""
    steps: list[Step] = field(default_factory=list[Step])
    trouble: str = ""
    """Why months could not be made."""

    @property
    def clean(self) -> bool:
        """Whether nothing was put off."""
        return not self.trouble and not any(step.trouble for step in self.steps)
