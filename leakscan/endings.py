"""How the scan's own activities must have ended: one that never ran has shown nothing."""

from collections import defaultdict
from collections.abc import Iterable

from leakscan.stack import ScanError, Stack

_DUE = {
    "leaky": "failed",
    "blurts": "failed",
    "blurts_in_an_address": "failed",
    "blurts_as_a_key": "failed",
    "bad_sql": "failed",
    "refuses": "refused",
    "learns": "done",
}
"""By activity, in leakscan/activities. `learns` is done only if the secret reached it."""
_ENDINGS = """
SELECT DISTINCT activity, coalesce(outcome, state) FROM work WHERE activity IN ({}) ORDER BY 1, 2
"""


def check_endings(stack: Stack) -> None:
    """Asks the store. Raises ScanError."""
    names = ", ".join(f"'{name}'" for name in _DUE)
    lines = stack.postgres.sql(_ENDINGS.format(names), stack.database.name).splitlines()
    compare_endings(line.split("|") for line in lines)


def compare_endings(found: Iterable[Iterable[str]]) -> None:
    """`found`: activities, each with an outcome that it had. Raises ScanError unless they are the ones that are due."""
    had: dict[str, list[str]] = defaultdict(list)
    for activity, outcome in found:
        had[activity].append(outcome)
    wrong = [
        f"{activity} is {' and '.join(had[activity]) or 'nowhere'}, not {due}"
        for activity, due in _DUE.items()
        if had[activity] != [due]
    ]
    if wrong:
        raise ScanError(f"the scan's own activities did not end as they must: {'; '.join(wrong)}")
