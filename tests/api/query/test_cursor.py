"""Cursors tell nothing, cannot be changed, and fit no other question."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query.cursor import BadCursor, Cursors

KEY = b"k" * 48
POSITION = {"after": ["asha.example", 7], "asked": {"user": "asha.example"}}


def test_a_cursor_is_read_where_it_was_given_and_tells_nothing() -> None:
    text = Cursors(KEY).seal("person", POSITION)

    assert Cursors(KEY).open("person", text) == POSITION
    assert b"asha" not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert text != Cursors(KEY).seal("person", POSITION)


@pytest.mark.parametrize(("key", "question"), [(KEY, "leavers"), (b"o" * 48, "person")])
def test_elsewhere_it_is_none(key: bytes, question: str) -> None:
    text = Cursors(KEY).seal("person", POSITION)

    with pytest.raises(BadCursor):
        Cursors(key).open(question, text)


@given(place=st.integers(0, 60), bit=st.integers(0, 5))
def test_any_change_is_seen(place: int, bit: int) -> None:
    cursors = Cursors(KEY)
    raw = bytearray(base64.urlsafe_b64decode(cursors.seal("q", {"a": 1, "b": "x" * 30}) + "=="))
    raw[place] ^= 1 << bit

    with pytest.raises(BadCursor):
        cursors.open("q", base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("text", ["", "a", "%%%", "A" * 10, "A" * 5000, "\u00e9"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursors(KEY).open("q", text)
