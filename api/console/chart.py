"""A chart of hooks over time: bars as numbers that a template draws, kinds that a reader can tell apart by more than colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.trends import Came

WIDTH, HEIGHT = 960, 180
KINDS: tuple[str, ...] = ("decisions", "facts", "others")


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of a column: where it stands, and which kind it is of."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Column:
    """One stretch of time. `counts` by kind."""

    at: datetime
    x: float
    width: float
    counts: dict[str, int]
    bars: tuple[Bar, ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns from left to right, and the number at the upper edge."""

    columns: tuple[Column, ...]
    most: int
    step: timedelta

    @property
    def total(self) -> int:
        return sum(column.total for column in self.columns)

    def of(self, kind: str) -> int:
        """How many came of that kind."""
        return sum(column.counts[kind] for column in self.columns)


def chart(came: Sequence[Came], since: datetime, steps: int, step: timedelta, kinds: dict[str, str]) -> Chart:
    """`kinds`: of each hook that is known; what is not is one of the others."""
    counted = [dict.fromkeys(KINDS, 0) for _ in range(steps)]
    for one in came:
        place = int((one.at - since) / step)
        if 0 <= place < steps:
            counted[place][kinds.get(one.hook, "others")] += one.times
    most = _round(max((sum(counts.values()) for counts in counted), default=0))
    wide = WIDTH / steps
    columns = tuple(
        Column(
            since + place * step,
            round(place * wide, 2),
            round(wide, 2),
            counts,
            _bars(counts, place * wide, wide, most),
        )
        for place, counts in enumerate(counted)
    )
    return Chart(columns, most, step)


def _bars(counts: dict[str, int], x: float, wide: float, most: int) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    y = float(HEIGHT)
    for kind in KINDS:
        if counts[kind]:
            high = max(1.5, counts[kind] / most * HEIGHT)
            y -= high
            bars.append(
                Bar(round(x + wide * 0.12, 2), round(y, 2), round(wide * 0.76, 2), round(high, 2), kind)
            )
    return tuple(bars)


def _round(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, …, so that the edge is a number one can read."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= number:
                return factor * size
        size *= 10
