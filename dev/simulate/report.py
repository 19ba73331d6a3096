"""What a run found: answers by hook and status, breaches, times."""

import math
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which answers broke the contract. `first` is a hook's id in the record; nothing is personal."""

    hook: str
    expected: str
    got: str
    times: int
    first: str


@dataclass(frozen=True, slots=True)
class Row:
    """The answers of one hook with one status; `status` is "none" when no answer came. Milliseconds."""

    hook: str
    status: str
    count: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, for a progress display. `users` are those whose stories are told."""

    done: int
    users: int
    hooks: int
    breaches: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run. `breach_count` is the sum over `breaches`."""

    seed: int
    users: int
    hooks: int
    answered: int
    unanswered: int
    unavailable: int
    """Validates turned away because the receiver's store was out of reach."""
    duplicates: int
    reorderings: int
    bad_bodies: int
    seconds: float
    hooks_per_second: float
    rows: tuple[Row, ...]
    p50_ms: float | None
    p99_ms: float | None
    breach_count: int
    breaches: tuple[Breach, ...]
    unanswered_why: dict[str, int]

    @property
    def clean(self) -> bool:
        """Whether every answer kept to the contract."""
        return self.breach_count == 0

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {"clean": self.clean, "hint": self.hint, **asdict(self)}

    @property
    def hint(self) -> str | None:
        """What may be behind the breaches, if it may be something of ours."""
        refused = any(
            breach.hook == "validateUser" and "AlreadyExist" in breach.got for breach in self.breaches
        )
        if not refused:
            return None
        return f"If seed {self.seed} was already used against this store, choose another --seed."


@dataclass(slots=True)
class Tally:
    """Counts while a run goes on."""

    users: int
    done: int = 0
    hooks: int = 0
    unavailable: int = 0
    duplicates: int = 0
    reorderings: int = 0
    bad_bodies: int = 0
    breach_count: int = 0
    _breaches: dict[tuple[str, str, str], Breach] = field(default_factory=dict[tuple[str, str, str], Breach])
    _times: dict[tuple[str, str], list[float]] = field(default_factory=dict[tuple[str, str], list[float]])
    _silences: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def answered(self, hook: str, status: int, seconds: float) -> None:
        """Counts one answer."""
        self.hooks += 1
        self._times.setdefault((hook, str(status)), []).append(seconds)

    def silent(self, hook: str, reason: str) -> None:
        """Counts one hook that was not answered."""
        self.hooks += 1
        self._silences[hook, reason] += 1

    def breach(self, hook: str, expected: str, got: str, hook_id: str) -> None:
        """Notes one breach."""
        self.breach_count += 1
        known = self._breaches.get((hook, expected, got)) or Breach(hook, expected, got, 0, hook_id)
        self._breaches[hook, expected, got] = replace(known, times=known.times + 1)

    def standing(self) -> Standing:
        """How far the run is."""
        return Standing(self.done, self.users, self.hooks, self.breach_count, self._silences.total())

    def report(self, seed: int, seconds: float) -> Report:
        """The run as it stands."""
        rows = [_row(hook, status, times) for (hook, status), times in sorted(self._times.items())]
        silent, why = Counter[str](), Counter[str]()
        for (hook, reason), count in self._silences.items():
            silent[hook] += count
            why[reason] += count
        rows += [Row(hook, "none", count, None, None) for hook, count in sorted(silent.items())]
        every = sorted(time for times in self._times.values() for time in times)
        return Report(
            seed=seed,
            users=self.done,
            hooks=self.hooks,
            answered=len(every),
            unanswered=silent.total(),
            unavailable=self.unavailable,
            duplicates=self.duplicates,
            reorderings=self.reorderings,
            bad_bodies=self.bad_bodies,
            seconds=round(seconds, 3),
            hooks_per_second=round(self.hooks / seconds, 1) if seconds else 0.0,
            rows=tuple(sorted(rows, key=lambda row: (row.hook, row.status))),
            p50_ms=percentile(every, 50),
            p99_ms=percentile(every, 99),
            breach_count=self.breach_count,
            breaches=tuple(self._breaches.values()),
            unanswered_why=dict(why),
        )


def percentile(ordered: list[float], rank: int) -> float | None:
    """The nearest-rank percentile of ascending seconds, in milliseconds; None of nothing."""
    if not ordered:
        return None
    return round(ordered[math.ceil(len(ordered) * rank / 100) - 1] * 1000, 2)


def _row(hook: str, status: str, times: list[float]) -> Row:
    times.sort()
    return Row(hook, status, len(times), percentile(times, 50), percentile(times, 99))
