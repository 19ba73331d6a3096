"""How much one caller may ask at a time: calls per second and calls under way, each with its own bucket."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from api.problems import Problem
from settings.query import Query

_REMEMBERED = 10_000
"""Callers; whoever was quiet longest is forgotten first, and has a full bucket by then."""


class TooMany(Problem):
    """429; `wait` in seconds is when to come again."""

    def __init__(self, code: str, words: str, wait: float) -> None:
        super().__init__(429, code, words, {"Retry-After": str(max(1, math.ceil(wait)))})


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    under_way: int = 0


class Bounds:
    """Counters of one process. With several processes, each of them lets so much through."""

    def __init__(self, settings: Query, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    @contextmanager
    def held(self, actor: str) -> Generator[None]:
        """One call of this caller, from now until the end of the block. Raises TooMany."""
        bucket = self._enter(actor)
        try:
            yield
        finally:
            bucket.under_way -= 1

    def _enter(self, actor: str) -> _Bucket:
        s, now = self._settings, self._clock()
        bucket = self._buckets.get(actor)
        if bucket is None:
            self._forget()
            bucket = self._buckets[actor] = _Bucket(s.burst, now)
        self._buckets.move_to_end(actor)
        bucket.left = min(s.burst, bucket.left + (now - bucket.at) * s.rate)
        bucket.at = now
        if bucket.under_way >= s.concurrent:
            words = f"{s.concurrent} calls of this caller are under way: wait until one of them has ended."
            raise TooMany("too_many_at_once", words, 1)
        if bucket.left < 1:
            words = f"More than {s.rate:g} calls a second of this caller: come again later."
            raise TooMany("too_fast", words, (1 - bucket.left) / s.rate)
        bucket.left -= 1
        bucket.under_way += 1
        return bucket

    def _forget(self) -> None:
        if len(self._buckets) >= _REMEMBERED:
            idle = next((actor for actor, b in self._buckets.items() if not b.under_way), None)
            if idle is not None:
                del self._buckets[idle]


class Exports:
    """How many may read whole answers at a time, all callers together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0

    @contextmanager
    def held(self) -> Generator[None]:
        """One of them, until the end of the block. Raises TooMany."""
        if self._under_way >= self._most:
            words = f"{self._most} whole answers are being read: come again later, or read by the page."
            raise TooMany("too_many_exports", words, 10)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
