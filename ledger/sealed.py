"""What a round of sealing tells its workflow: counts, nothing personal. Standard library only, for the sandbox."""

from dataclasses import dataclass
from typing import Literal

Held = Literal["nobody", "kept", "not reached", "refused"]
"""Whether a holder elsewhere has the newest checkpoint. Refused: what it has is not the beginning of what we have."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One round. `pause` are seconds until the next, as the worker is configured."""

    sealed: int
    size: int
    waiting: int
    """Entries that are not sealed yet, at least so many."""
    held: Held
    pause: float
    trouble: str = ""
    """Why nothing was sealed; empty while all is well."""
