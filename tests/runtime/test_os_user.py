"""The user of this machine has a name in the ledger, also where the machine knows none."""

import getpass
import os

import pytest

from runtime.os_user import os_user


def test_a_user_has_their_name() -> None:
    assert os_user() == f"os:{getpass.getuser()}"


@pytest.mark.parametrize("wrong", [KeyError("getpwuid(): uid not found: 54321"), OSError("No username set")])
def test_a_user_without_one_has_their_number(monkeypatch: pytest.MonkeyPatch, wrong: Exception) -> None:
    def getuser() -> str:
        raise wrong

    monkeypatch.setattr(getpass, "getuser", getuser)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert os_user() == "os:uid 54321"
