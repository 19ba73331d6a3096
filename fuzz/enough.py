"""That a run does as much as it was asked for, and says so where it has shown nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

Part = TypeVar("Part")


def spread(cases: int, parts: Sequence[Part], call: Callable[[Part, int], int]) -> None:
    """Makes at least so many calls, an equal share of each part; what one has no inputs for is for the others.

    `call` takes a part and how many calls are due of it, and gives how many it made.
    """
    left = cases
    able: list[Part] = list(parts)
    while left > 0 and able:
        share = -(-left // len(able))
        made = [call(part, share) for part in able]
        left -= sum(made)
        able = [part for part, count in zip(able, made, strict=True) if count >= share]


def blind(asked: int, statuses: Mapping[str, Mapping[int, int]], runs: Mapping[str, int]) -> Iterator[str]:
    """What was not shown, in words. `statuses`: how often each was answered, by surface; `runs`: by guided target."""
    made = sum(sum(surface.values()) for surface in statuses.values())
    if made < asked:
        yield f"{made} calls were made, not {asked}"
    for name, answers in statuses.items():
        if not any(200 <= status < 300 for status in answers):
            yield f"no call of {name} was answered well: {dict(sorted(answers.items()))}"
    for target, count in runs.items():
        if not count:
            yield f"the fuzzer of {target} ran no input"
