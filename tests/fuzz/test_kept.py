"""What the fuzzers grew goes well in every run; and what they look for, they find."""

from collections.abc import Callable
from typing import Any

import pytest

from api import deliveries
from fuzz import receiving, spooling
from fuzz.corpus import kept
from hooks.secrets import cut
from runtime.spool import frames, journal


@pytest.mark.parametrize("target", [receiving, spooling], ids=["receiving", "spooling"])
def test_what_was_grown_goes_well(target: Any) -> None:
    inputs = kept(target.__name__.rpartition(".")[2])
    assert len(inputs) > 30, "little is kept: was it lost?"
    for data in inputs:
        target.check(data)


def _found(check: Callable[[bytes], None], target: str) -> bool:
    for data in kept(target):
        try:
            check(data)
        except AssertionError:
            return True
    return False


def test_a_secret_that_is_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(value: Any, depth: int) -> Any:
        cut(value, depth)
        return value

    monkeypatch.setattr(deliveries, "cut", careless)
    assert _found(receiving.check, "receiving")


def test_a_user_who_is_answered_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(*_: object) -> dict[str, str]:
        return {"login": "another"}

    monkeypatch.setattr("hooks.user.user_of", another)
    assert _found(receiving.check, "receiving")


def test_a_record_that_is_lost_behind_damage_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(data: bytes, _: int) -> int:
        return len(data)

    monkeypatch.setattr(frames, "_next", end)
    assert _found(spooling.check, "spooling")


def test_a_record_that_is_read_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*_: object) -> None:
        pass

    monkeypatch.setattr(journal.Journal, "done", forgetful)
    assert _found(spooling.check, "spooling")
