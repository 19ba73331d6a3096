"""What a round of the watch tells its workflow: counts, nothing personal. Standard library only, for the sandbox."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantSeen:
    """One tenant's gaps: open now, and opened and closed in this round."""

    tenant: str
    open: int
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One round. `pause` are seconds until the next, as the worker is configured."""

    tenants: list[TenantSeen]
    pause: float
    behind: bool
    """There is more to look at than one round may: the next follows soon."""
