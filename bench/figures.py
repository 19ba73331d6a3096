"""Figures as they are reported: a median over rounds, with its spread."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

AIMS: Mapping[str, str] = {
    "validate_vs_bare": "≥ 1.0",
    "validate_p99_vs_bare": "≤ 1.5",
    "ack_vs_bare": "≥ 0.8",
    "ack_observed_vs_plain": "≥ 0.9",
    "policymap_vs_bare": "≥ 0.8",
    "validate_rules_vs_bare": "≥ 0.7",
    "validate_1m_vs_1k": "≤ 1.2",
    "naming_equal": "0",
    "naming_lost": "0",
    "storm_vs_naive": "≥ 4",
    "storm_spread_vs_naive": "≥ 2",
    "temporal_cpu_vs_naive": "≤ 0.25",
    "actions_per_hook": "≤ 0.45",
    "storm_ack_p50_vs_idle": "≤ 3",
    "import_vs_floor": "≤ 1.5",
    "asof_10m_vs_100k": "≤ 1.5",
    "timeline_10m_vs_100k": "≤ 1.5",
    "verify_vs_floor": "≥ 0.6",
    "seal_vs_floor": "≥ 0.4",
    "append_with_seal_vs_without": "≥ 0.95",
    "export_peak_mib": "≤ 150",
}
"""What each ratio aims at, and memory. Other figures are absolute: they hold for one machine only."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all its rounds."""

    median: float
    min: float
    max: float
    rounds: int

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        """Raises StatisticsError for no values."""
        return cls(round(median(values), 3), round(min(values), 3), round(max(values), 3), len(values))


@dataclass
class Notebook:
    """Collects the values of every round."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))

    def note(self, **values: float) -> None:
        """Adds one round's values."""
        for name, value in values.items():
            self.values[name].append(value)

    def figures(self) -> dict[str, Figure]:
        """Ratios with an aim first, in the order of AIMS; then the rest as they came."""
        names = [*(n for n in AIMS if n in self.values), *(n for n in self.values if n not in AIMS)]
        return {name: Figure.of(self.values[name]) for name in names}
