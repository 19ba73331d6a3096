"""What each intention waits for: read from the facts' own files, so that a new one is one file."""

from datetime import timedelta

import pytest

from hooks import by_name
from hooks.chains import expectations
from hooks.hook import Hook
from settings import Windows


def test_the_platform_s_chains() -> None:
    found = {e.hook: (e.upto, e.onward, e.facts, e.creates, e.moot) for e in expectations(Windows())}
    assert found == {
        "validateUser": (
            ("validateUser",),
            ("validateUser", "preCreateUser"),
            ("postCreateUser",),
            True,
            ("postUpdateUser",),
        ),
        "preCreateUser": (
            ("validateUser", "preCreateUser"),
            ("preCreateUser",),
            ("postCreateUser",),
            True,
            ("postUpdateUser",),
        ),
        "validateUpdateUser": (
            ("validateUpdateUser",),
            ("validateUpdateUser", "preUpdateUser"),
            ("postUpdateUser",),
            False,
            ("postCreateUser",),
        ),
        "preUpdateUser": (
            ("validateUpdateUser", "preUpdateUser"),
            ("preUpdateUser",),
            ("postUpdateUser",),
            False,
            ("postCreateUser",),
        ),
        "preProvision": (("preProvision",), ("preProvision",), ("postProvision",), False, ()),
    }


def test_windows_are_the_tenant_s() -> None:
    windows = Windows.model_validate({"preProvision": "6h"})
    found = {e.hook: e.window for e in expectations(windows)}
    assert found["preProvision"] == timedelta(hours=6)
    assert found["preCreateUser"] == timedelta(hours=1)


def test_a_hook_of_one_s_own_is_joined_by_what_its_fact_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {
        "premoveuser": Hook(name="preMoveUser", purpose="Comes before a user moves."),
        "postmoveuser": Hook(
            name="postMoveUser", purpose="Tells that a user moved.", fact=True, confirms=("preMoveUser",)
        ),
    }
    known = by_name() | mine
    monkeypatch.setattr("hooks.chains.by_name", lambda: known)
    [found] = [e for e in expectations(Windows()) if e.hook == "preMoveUser"]
    assert (found.facts, found.onward, found.window) == (
        ("postMoveUser",),
        ("preMoveUser",),
        timedelta(days=7),
    )
