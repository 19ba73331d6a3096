"""A scan whose own activities did not run says so."""

import pytest

from leakscan.endings import compare_endings
from leakscan.stack import ScanError

_AS_DUE = [
    ("leaky", "failed"),
    ("blurts", "failed"),
    ("blurts_in_an_address", "failed"),
    ("blurts_as_a_key", "failed"),
    ("bad_sql", "failed"),
    ("refuses", "refused"),
    ("learns", "done"),
]


def test_all_that_is_due_is_enough() -> None:
    compare_endings(_AS_DUE)


@pytest.mark.parametrize("activity", [activity for activity, _ in _AS_DUE])
def test_one_that_never_ran_or_ended_otherwise_is_told(activity: str) -> None:
    others = [ending for ending in _AS_DUE if ending[0] != activity]
    with pytest.raises(ScanError, match=f"{activity} is nowhere, not "):
        compare_endings(others)
    with pytest.raises(ScanError, match=f"{activity} is secret_gone, not "):
        compare_endings([*others, (activity, "secret_gone")])
    due = dict(_AS_DUE)[activity]
    with pytest.raises(ScanError, match=f"{activity} is {due} and held, not {due}"):
        compare_endings([*_AS_DUE, (activity, "held")])
