"""What a process counts as it works. No label holds anything of a person: hooks, tenants, outcomes, reasons only."""

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_AGES = (-300, -60, -10, -1, 0, 1, 10, 60, 300, 3600, 86_400)
_MOST_LABELS = 4096
"""Combinations kept at hand. All labels come from the configuration or from our code, so there are fewer."""


class Meters:
    """One per process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        hooks = Counter(
            "hookledger_hooks",
            "Hooks answered, by what was answered.",
            ("tenant", "hook", "verdict", "status"),
            registry=self.registry,
        )
        seconds = Histogram(
            "hookledger_hook_duration_seconds",
            "From the head of the call to its answer.",
            ("hook", "verdict"),
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._refusals = Counter(
            "hookledger_refusals",
            "Calls turned away at the door, by reason.",
            ("tenant", "reason"),
            registry=self.registry,
        )
        self._waits = Counter(
            "hookledger_pool_waits",
            "Calls that had to wait for a connection to the store.",
            ("tenant",),
            registry=self.registry,
        )
        self.token_age: Callable[[float], None] = Histogram(
            "hookledger_token_age_seconds",
            "How old tokens are when first seen; below zero, the platform's clock is ahead of ours.",
            buckets=_AGES,
            registry=self.registry,
        ).observe

        # Children are looked up once for each combination: labels() costs more than counting.
        @lru_cache(_MOST_LABELS)
        def of(tenant: str, hook: str, verdict: str, status: int) -> tuple[Counter, Histogram]:
            return hooks.labels(tenant, hook, verdict, str(status)), seconds.labels(hook, verdict)

        self._of = of

    def answered(self, tenant: str, hook: str, verdict: str, status: int, took: float) -> None:
        """One call was answered, in so many seconds."""
        counter, histogram = self._of(tenant, hook, verdict, status)
        counter.inc()
        histogram.observe(took)

    def refused(self, tenant: str, reason: str) -> None:
        """One call was turned away, for a reason that our code names."""
        self._refusals.labels(tenant, reason).inc()

    def waited(self, tenant: str) -> None:
        """One call had to wait for the store."""
        self._waits.labels(tenant).inc()

    def gauge(self, name: str, words: str, read: Callable[[], float]) -> None:
        """A number that is read when asked for; it has to come from memory."""

        def number() -> float:
            try:
                return float(read())
            except Exception:
                return float("nan")

        Gauge(f"hookledger_{name}", words, registry=self.registry).set_function(number)
