"""Event: what an author reads from it."""

from typing import Any

import pytest

from tests.activities.desk import an_event


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b"}),
        ({"a": 1}, {"a": 1, "c": None}, set[str]()),
        ({"a": 1}, {}, {"a"}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a"}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a"}),
        ({"version": 1, "updated": "x", "updatedBy": "y"}, {"version": 2}, set[str]()),
        (None, {"a": 1}, set[str]()),
    ],
)
def test_changed(before: dict[str, Any] | None, after: dict[str, Any], changed: set[str]) -> None:
    assert an_event(before=before, request={"user": after}).changed == changed


@pytest.mark.parametrize("user", [None, "anna", ["anna"], 7])
def test_a_user_that_is_none(user: Any) -> None:
    event = an_event(request={"user": user})
    assert event.user == {}
    assert event.login == ""


def test_the_key_is_the_delivery() -> None:
    event = an_event()
    assert event.key == event.delivery
