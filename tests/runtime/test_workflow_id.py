"""The id of a person's workflow: whatever the login is, it stays in a charset that no link breaks on."""

import re
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.workflow_id import workflow_id

SUBJECT = UUID("01920000-0000-7000-8000-00000000abcd")


def test_a_plain_login_is_shown() -> None:
    assert workflow_id("as100", "anna.b_c-d+1", SUBJECT) == "user-lifecycle:as100:anna.b_c-d+1:00000000abcd"


def test_without_the_login() -> None:
    assert workflow_id("as100", None, SUBJECT) == "user-lifecycle:as100:00000000abcd"


@pytest.mark.parametrize(
    "login", ["anna@x", "a b", "a/b", "a'b", 'a"b', "", "~x", "ü", "a:b", "a\n", "x" * 65]
)
def test_anything_else_is_hex(login: str) -> None:
    name = workflow_id("as100", login, SUBJECT).split(":")[2]
    assert name == "~" + login.encode()[:32].hex()


@given(st.text())
def test_the_charset_holds(login: str) -> None:
    made = workflow_id("as100", login, SUBJECT)
    assert re.fullmatch(r"user-lifecycle:as100:(~[0-9a-f]{0,64}|[A-Za-z0-9._+-]{1,64}):[0-9a-f]{12}", made)


def test_half_of_a_surrogate_pair_does_not_break_it() -> None:
    assert workflow_id("as100", "a\ud800", SUBJECT).split(":")[2].startswith("~61")


def test_a_login_used_again_gets_another_id() -> None:
    assert workflow_id("as100", "anna", uuid4()) != workflow_id("as100", "anna", uuid4())
