"""The plan: what a delivery causes and with which options, as plain data that crosses into workflows.

Standard library only: workflow modules import it inside Temporal's sandbox.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

VERSION = 1
"""Version of the options below. The workflow reads any version up to its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Options of one piece of work, resolved when the delivery was received. Times are seconds."""

    timeout: float = 30.0
    """Longest single attempt (start to close)."""
    give_up: float = 86_400.0
    """From the first attempt to the last."""
    first_wait: float = 1.0
    factor: float = 2.0
    longest_wait: float = 100.0
    heartbeat: float | None = None
    batch: int = 1
    """Largest number of deliveries handed over in one call."""
    after: str | None = None
    """Waits until this activity has settled for the same delivery."""
    hold: bool = False
    """A failure holds back the lane until an operator redrives or skips it."""
    bookkeeping: bool = False
    """Writes only to the store, so it may share a transaction with its neighbours."""
    cancel_on: tuple[str, ...] = ()
    """Hooks whose later delivery cancels this work before it has run."""
    secret: bool = False
    """Needs the delivery's secret, which is kept until it has gone well."""
    version: int = VERSION

    def to_row(self) -> dict[str, Any]:
        """What differs from the defaults: the JSON kept in `work.plan`."""
        whole = asdict(self)
        return {
            f.name: whole[f.name] for f in fields(self) if f.name == "version" or whole[f.name] != f.default
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """The inverse of to_row. Options of a newer version that this code does not know are passed over."""
        known = {f.name for f in fields(cls)}
        options = {k: v for k, v in row.items() if k in known}
        options["cancel_on"] = tuple(options.get("cancel_on", ()))
        return cls(**options)


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one piece of work. Ids only: this is what enters Temporal's histories."""

    delivery: str
    activity: str


@dataclass(frozen=True, slots=True)
class Item:
    """One unsettled piece of work as `take` hands it to the workflow."""

    ref: Ref
    seq: int
    hook: str
    application: str | None
    lane: str
    plan: dict[str, Any]
    give_up_at: float | None
    """Unix seconds, set by the first attempt; None before it."""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """The argument of every activity: work of one subject, in order."""

    subject: str
    refs: list[Ref]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one piece of work ended."""

    ref: Ref
    outcome: str
    """done, failed, refused, retired, cancelled, skipped, or a word of the activity's own."""
    entry: int | None = None
    failed: bool = False
