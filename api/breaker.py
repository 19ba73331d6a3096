"""Stops asking a store that does not answer, so that callers wait for one time-out, not for one each."""

import time

_FAILURES = 3
_PAUSE = 1.0
"""Seconds between two probes while the store is out of reach."""


class Breaker:
    """Closed: ask. Open: do not, but let one caller probe after each pause."""

    def __init__(self) -> None:
        self._failures = 0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether to answer without asking the store."""
        if self._failures < _FAILURES:
            return False
        now = time.monotonic()
        if now < self._probe_at:
            return True
        self._probe_at = now + _PAUSE
        return False

    @property
    def tripped(self) -> bool:
        """The same for who only looks: a look is no probe."""
        return self._failures >= _FAILURES

    def succeeded(self) -> None:
        """The store answered."""
        self._failures = 0

    def failed(self) -> None:
        """The store did not answer."""
        self._failures += 1
        self._probe_at = time.monotonic() + _PAUSE
