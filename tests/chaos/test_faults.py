"""What breaks, and when: alone, or while Temporal is away as well."""

import signal
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any, cast

from chaos.faults import FAULTS, Breaking, Course, Fault, Pause, chosen
from chaos.stack import APIS, WORKERS, Stack


class Calm:
    """A stack on which everything takes connections at once."""

    def wait_until_taking(self) -> None:
        """Of chaos.stack.Stack."""


class Watched:
    """A stack that notes what is done to it."""

    def __init__(self) -> None:
        self.releases: dict[str, int] = dict.fromkeys((*APIS, *WORKERS), 0)
        self.ended: list[tuple[str, signal.Signals]] = []
        self.told: list[tuple[str, signal.Signals | None]] = []
        self.ran: list[dict[str, int]] = []
        """Which release each process was of, after each start."""

    def end(self, name: str, number: signal.Signals) -> None:
        """Of chaos.stack.Stack."""
        self.ended.append((name, number))

    def start(self, name: str) -> None:
        """Of chaos.stack.Stack."""
        assert self.ended[-1][0] == name, "one at a time"
        self.ran.append(dict(self.releases))

    def tell_postgres(self, number: signal.Signals) -> None:
        """Of chaos.stack.Stack."""
        self.told.append(("told", number))

    def end_postgres(self, number: signal.Signals) -> None:
        """Of chaos.stack.Stack."""
        self.told.append(("ended", number))

    def start_postgres(self) -> None:
        """Of chaos.stack.Stack."""
        self.told.append(("started", None))


def _done(name: str) -> Watched:
    """What a fault of that name does, without its pauses."""
    watched = Watched()
    [fault] = (fault for fault in FAULTS if fault.name == name)
    list(fault.do(cast("Stack", watched), Random(1)))
    return watched


def _telling(told: list[str], name: str, *pauses: Pause) -> Callable[[Any, Any], Course]:
    def course(_: Any, __: Any) -> Course:
        told.append(f"{name} breaks")
        yield from pauses
        told.append(f"{name} is mended")

    return course


def _fault(name: str, course: Callable[[Any, Any], Course], *, temporal: bool = False) -> Fault:
    return Fault(name, 1, 0, course, temporal)


def _breaking() -> Breaking:
    return Breaking(cast("Stack", Calm()), Random(1))


def test_every_kind_of_fault_comes_before_any_comes_twice() -> None:
    names = [fault.name for fault in chosen(len(FAULTS) + 1, Random(1))]
    assert set(names[:-1]) == {fault.name for fault in FAULTS}
    assert chosen(5, Random(2)) == chosen(5, Random(2))


def test_others_break_while_temporal_is_away_and_it_comes_back_in_time() -> None:
    told: list[str] = []
    trouble = _breaking()
    trouble.happen(_fault("away", _telling(told, "away", Pause(0.15, shared=True)), temporal=True))
    trouble.happen(_fault("short", _telling(told, "short", Pause(0.01))))
    trouble.happen(_fault("long", _telling(told, "long", Pause(0.4))))
    assert told == [
        *("away breaks", "short breaks", "short is mended"),
        *("long breaks", "away is mended", "long is mended"),
    ]
    assert [fault.name for fault in trouble.happened()] == ["away", "short", "long"], "as they began"
    away, _, long = trouble.happened()
    assert away.over < long.begun + 0.3 < long.over, "it did not wait for the long one"


def test_what_takes_temporal_away_waits_until_it_is_back() -> None:
    told: list[str] = []
    trouble = _breaking()
    for name in ("first", "second"):
        course = _telling(told, name, Pause(0.02), Pause(0.05, shared=True))
        trouble.happen(_fault(name, course, temporal=True))
    assert told == ["first breaks", "first is mended", "second breaks"]
    trouble.mend()
    assert told[-1] == "second is mended"
    assert [fault.name for fault in trouble.happened()] == ["first", "second"]


def test_another_comes_first_while_temporal_is_away() -> None:
    trouble, told = _breaking(), list[str]()
    one, two = (_fault(name, _telling(told, name), temporal=True) for name in ("one", "two"))
    other = _fault("other", _telling(told, "other"))
    coming = [one, two, other]
    assert trouble.next_of(coming) is one, "nothing is broken yet"
    trouble.happen(_fault("away", _telling(told, "away", Pause(0.05, shared=True)), temporal=True))
    assert trouble.next_of(coming) is other
    assert trouble.next_of(coming) is two, "none is left that need not wait"
    assert coming == []
    trouble.mend()


def test_a_deploy_brings_an_activity_and_takes_it_back_while_both_releases_run() -> None:
    watched = _done("deploy")
    assert [sorted(ran.values()) for ran in watched.ran] == [
        *([0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]),
        *([1, 1, 1, 2], [1, 1, 2, 2], [1, 2, 2, 2], [2, 2, 2, 2]),
    ]
    assert all(sum(a[name] != b[name] for name in a) == 1 for a, b in pairwise(watched.ran))
    assert {number for _, number in watched.ended} == {signal.SIGTERM}
    assert len(watched.ended) == next(fault.kills for fault in FAULTS if fault.name == "deploy")


def test_what_runs_behind_the_answers_is_no_excuse_for_none() -> None:
    felt = {fault.name for fault in FAULTS if fault.felt}
    assert felt.isdisjoint({"temporal away", "temporal killed", "worker killed", "worker cut off"})
    assert felt >= {"api killed", "postgres away", "both away"}


def test_postgres_is_asked_to_end_before_it_must() -> None:
    assert _done("postgres away").told == [
        ("told", signal.SIGTERM),
        ("ended", signal.SIGINT),
        ("started", None),
    ]
