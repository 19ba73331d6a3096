"""The judge can say no: what is lost, invented, doubled or out of order is counted."""

from collections import Counter
from typing import Any

from chaos.faults import DISK_FULL, FAULTS, Happened
from chaos.verdict import (
    LATE,
    Stored,
    Verdict,
    during,
    ill,
    invented,
    out_of_order,
    parted,
    unexcused,
    without_disk,
)

_TEN = 1_795_651_210.0
"""When every line was sent."""


def _line(
    hook: str, digest: str, status: int | None = 200, user: str = "Asha", milliseconds: float | None = 5.0
) -> dict[str, Any]:
    return {
        "user": user,
        "hook": hook,
        "body_sha256": digest,
        "status": status,
        "at": "2026-11-26T00:00:10+00:00",
        "milliseconds": milliseconds,
        "kept": None if status in (None, 503) else status == 200,
    }


def _stored(*hooks: str) -> list[Stored]:
    return [
        Stored("asha", seq, hook.partition(":")[0].lower(), hook.partition(":")[2])
        for seq, hook in enumerate(hooks, 1)
    ]


def test_the_order_of_answers_is_the_order_of_the_ledger() -> None:
    told = [_line("postUpdateUser", "a"), _line("postUpdateUser", "b"), _line("postUpdateUser", "a")]
    assert out_of_order(told, _stored("postUpdateUser:a", "postUpdateUser:b", "postUpdateUser:a")) == []
    assert out_of_order(told, _stored("postUpdateUser:a", "postUpdateUser:a", "postUpdateUser:b")) == [
        told[2]
    ]


def test_what_was_not_answered_may_stand_anywhere_or_nowhere() -> None:
    told = [
        _line("postUpdateUser", "a"),
        _line("postUpdateUser", "b", 503),
        _line("postUpdateUser", "c", None),
    ]
    assert out_of_order(told, _stored("postUpdateUser:c", "postUpdateUser:a")) == []


def test_decisions_answered_with_neither_store_nor_disk_are_left_out_of_the_order_only_then() -> None:
    full = [Happened(DISK_FULL, 1, 1_795_651_205.0, 1_795_651_220.0)]
    other = [Happened("api killed", 1, 1_795_651_205.0, 1_795_651_220.0)]
    assert without_disk(_line("validateUser", "a"), full)
    assert not without_disk(_line("postUpdateUser", "a"), full)
    assert not without_disk(_line("validateUser", "a"), other)
    later = [Happened(DISK_FULL, 1, 1_795_651_211.0, 1_795_651_220.0)]
    assert not without_disk(_line("validateUser", "a"), later)
    assert without_disk(_line("validateUser", "a", milliseconds=1800.0), later), (
        "it came before, and was answered then"
    )


def test_what_is_found_is_told_with_what_was_broken_then() -> None:
    faults = [Happened("api killed", 1, 100.0, 110.0), Happened(DISK_FULL, 1, 130.0, 140.0)]
    assert during(90.0, faults).endswith(", before anything broke")
    assert during(105.0, faults) == "00:01:45.000000 UTC, in api killed"
    assert during(112.5, faults).endswith(", 2.5 s after api killed")
    assert during(131.0, faults).endswith(", in disk full")
    meanwhile = [Happened("temporal away", 1, 95.0, 155.0), *faults]
    assert during(105.0, meanwhile).endswith(", in temporal away and api killed")
    assert during(142.0, meanwhile).endswith(", in temporal away")
    assert during(157.0, meanwhile).endswith(", 2.0 s after temporal away")


def test_what_nobody_sent_is_invented_but_for_what_was_in_flight_at_the_end() -> None:
    stored = [Stored("asha", n, "postupdateuser", "a", at) for n, at in enumerate((1.0, 2.0, 9.0), 1)]
    once = Counter({("asha", "postupdateuser", "a"): 1})
    assert invented(stored, once, until=5.0) == 1
    assert invented(stored, once, until=1.5) == 0
    assert invented(stored, Counter(), until=10.0) == 3


def test_any_bad_figure_makes_it_unclean() -> None:
    fine = dict.fromkeys(Verdict.__dataclass_fields__, 0)
    assert Verdict(**fine | {"effects_repeated": 3, "kills": 9, "unanswered": 4, "retired": 2}).clean
    work = {"lost", "invented", "effects_missing", "effects_doubled", "order_breaks", "unbalanced"}
    for name in work | {"late_answers", "unexcused", "contract_breaks"}:
        assert not Verdict(**fine | {name: 1}).clean


def test_an_answer_that_is_late_or_not_as_agreed_is_told_whatever_was_broken() -> None:
    broken = [Happened("api killed", 1, _TEN - 1, _TEN + 1)]
    assert list(ill(_line("test", "a", milliseconds=LATE), broken)) == []
    assert list(ill(_line("test", "a", milliseconds=LATE + 1), broken)) == ["late"]
    assert list(ill(_line("test", "a", 503, milliseconds=LATE + 1), broken)) == ["late"]
    assert list(ill(_line("test", "a") | {"kept": False}, broken)) == ["against the contract"]
    assert list(ill(_line("test", "a", 500), broken)) == ["against the contract"]
    assert list(ill(_line("test", "a", 503), broken)) == []
    assert list(ill(_line("test", "a", 503), [])) == ["not answered"]
    assert list(ill(_line("test", "a", None, milliseconds=None), [])) == ["not answered"]


def test_a_hook_goes_unanswered_only_while_an_api_or_postgres_is_broken_or_has_just_been() -> None:
    away = Happened("temporal away", 1, _TEN - 20, _TEN + 40, felt=False)
    unanswered, turned_away = _line("test", "a", None, milliseconds=None), _line("test", "a", 503)
    for line in (unanswered, turned_away):
        assert unexcused(line, [away])
        assert unexcused(line, [])
        for begun, over in ((_TEN - 1, _TEN + 1), (_TEN - 9, _TEN - 4)):
            assert not unexcused(line, [away, Happened("api killed", 1, begun, over)])
        assert unexcused(line, [away, Happened("api killed", 1, _TEN - 9, _TEN - 6)])
    soon = [away, Happened("api killed", 1, _TEN + 2, _TEN + 3)]
    assert not unexcused(unanswered, soon), "it may have ended the call"
    assert unexcused(turned_away, soon)
    assert not unexcused(_line("test", "a"), [away])


def test_an_effect_may_be_repeated_only_where_something_came_between_it_and_its_settlement() -> None:
    killed = Happened("worker killed", 1, 100.0, 110.0, felt=False, parts=True)
    for called in (96.0, 100.5, 109.0):
        assert parted(called, [killed])
    for called in (94.0, 111.0):
        assert not parted(called, [killed])
    assert not parted(100.5, [Happened("api killed", 1, 100.0, 110.0)])


def test_only_what_ends_a_worker_or_postgres_can_come_between_them() -> None:
    parts = {fault.name for fault in FAULTS if fault.parts}
    assert parts == {fault.name for fault in FAULTS if fault.kills} - {
        "api killed",
        "temporal killed",
        "temporal away",
    }
