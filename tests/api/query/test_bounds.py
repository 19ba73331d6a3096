"""One caller's bounds: a rate with a burst, so many calls under way, and nobody else is slowed."""

import pytest

from api.query.bounds import _REMEMBERED, Bounds, TooMany  # pyright: ignore[reportPrivateUsage]
from settings.query import Query


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _bounds(clock: _Clock, **settings: float) -> Bounds:
    return Bounds(Query.model_validate({"rate": 2, "burst": 3, "concurrent": 2} | settings), clock)


def _ask(bounds: Bounds, actor: str = "key:a") -> None:
    with bounds.held(actor):
        pass


def test_a_burst_is_let_through_then_the_rate_holds() -> None:
    clock = _Clock()
    bounds = _bounds(clock)
    for _ in range(3):
        _ask(bounds)

    with pytest.raises(TooMany) as refused:
        _ask(bounds)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    _ask(bounds, "key:b")
    clock.now += 0.5
    _ask(bounds)
    with pytest.raises(TooMany):
        _ask(bounds)
    clock.now += 3600
    for _ in range(3):
        _ask(bounds)
    with pytest.raises(TooMany, match="too_fast"):
        _ask(bounds)


def test_calls_under_way_are_bounded_and_their_places_come_back() -> None:
    bounds = _bounds(_Clock(), burst=100, rate=100)
    with bounds.held("key:a"), bounds.held("key:a"):
        with pytest.raises(TooMany, match="too_many_at_once"):
            _ask(bounds)
        _ask(bounds, "key:b")
    _ask(bounds)
    with pytest.raises(ZeroDivisionError), bounds.held("key:a"):
        raise ZeroDivisionError
    with bounds.held("key:a"), bounds.held("key:a"):
        pass


def test_memory_is_bounded_and_who_is_under_way_is_not_forgotten() -> None:
    clock = _Clock()
    bounds = _bounds(clock)
    with bounds.held("busy"), bounds.held("busy"):
        for number in range(_REMEMBERED + 10):
            clock.now += 1
            _ask(bounds, f"key:{number}")
        with pytest.raises(TooMany, match="too_many_at_once"):
            _ask(bounds, "busy")
    assert len(bounds._buckets) <= _REMEMBERED  # pyright: ignore[reportPrivateUsage]
