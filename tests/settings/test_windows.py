"""Windows of intentions: how they may be written, what is refused, and what holds when nothing is said."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from settings import Windows


@pytest.mark.parametrize(
    ("written", "window"),
    [
        (90, timedelta(seconds=90)),
        (0.5, timedelta(seconds=0.5)),
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("1.5 d", timedelta(hours=36)),
        (" 2w ", timedelta(weeks=2)),
        ("3650d", timedelta(days=3650)),
    ],
    ids=repr,
)
def test_seconds_or_a_text(written: Any, window: timedelta) -> None:
    assert Windows.model_validate({"preProvision": written}).of("preProvision") == window


@pytest.mark.parametrize(
    "written",
    [
        0,
        -1,
        True,
        "",
        "7",
        "7 days",
        "d",
        "-7d",
        "0d",
        "3651d",
        1e12,
        float("nan"),
        float("inf"),
        None,
        [7],
        "9999999w",
    ],
    ids=repr,
)
def test_anything_else_is_refused_in_words(written: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Windows.model_validate({"preProvision": written})
    [error] = caught.value.errors()
    assert "must be seconds, or a text such as" in error["msg"]


def test_a_key_that_is_no_intention_of_the_platform_is_refused() -> None:
    with pytest.raises(ValidationError):
        Windows.model_validate({"postProvision": "7d"})


def test_what_nobody_set() -> None:
    windows = Windows()
    days = {
        hook: windows.of(hook) / timedelta(days=1) for hook in ("validateUser", "preProvision", "preMoveUser")
    }
    assert days == {"validateUser": 1, "preProvision": 7, "preMoveUser": 7}
    assert windows.of("preCreateUser") == windows.of("preUpdateUser") == timedelta(hours=1)
