"""Whether the event loop moves: a loop that is stuck answers nobody and says nothing about it."""

import asyncio
import time
from collections import deque

_BEAT = 0.5
"""Seconds between two beats."""
_KEPT = 30
"""Beats that are looked back on: fifteen seconds, so that a scrape does not miss what was between two."""
STUCK = 10.0
"""Seconds without a beat after which a process is not alive."""


class Pulse:
    """Beats on the loop; read from any thread."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._lags: deque[float] = deque(maxlen=_KEPT)

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            self._last = time.monotonic()
            await asyncio.sleep(_BEAT)
            self._lags.append(max(0.0, time.monotonic() - self._last - _BEAT))

    def lag(self) -> float:
        """The longest that anything waited for its turn lately, in seconds; what lasts counts already."""
        return max((*tuple(self._lags), self._late()))

    def stuck(self) -> str:
        """What is wrong, in words; empty while the loop moves."""
        late = self._late()
        return f"the event loop has not moved for {late:.0f} s" if late > STUCK else ""

    def _late(self) -> float:
        return max(0.0, time.monotonic() - self._last - _BEAT)
