"""Who answers nobody that waits takes less of the processor than an api on the same machine."""

import os

_STEPS = 10
"""Of priority (nice(2)): where the processor is short, an api gets about nine times as much."""


def give_way() -> None:
    """For the rest of the process."""
    os.nice(_STEPS)
