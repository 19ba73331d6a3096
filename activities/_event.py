"""What an activity is told: the delivery, the person before and after, and who asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Event:
    """One delivery, as an activity sees it. Dicts are the platform's own JSON, whole but for cut secrets."""

    delivery: str
    """Receipt id of the delivery (UUID v7)."""
    tenant: str
    hook: str
    seq: int
    """The person's deliveries count from 1; this is their order."""
    received_at: datetime
    subject: str
    """Pseudonym of the person, stable over renames."""
    request: Mapping[str, Any]
    before: Mapping[str, Any] | None
    """The last known user when the delivery came (facts only; the platform sends no old values)."""
    application: str | None
    verdict: str
    """What was answered: received, passed, refused, answered, deprovision, leave, undecided, braked.

    Or, found by reconciliation: missed create, missed change, missed removal.
    """
    actor: str
    """Who asked, as the token asserts."""
    acting_for: str | None
    rehire_of: str | None = None
    secret: str | None = None
    """The delivery's password, if the activity declared `secret=True` and its time to live has not passed."""

    @property
    def user(self) -> Mapping[str, Any]:
        """The user as sent."""
        user = self.request.get("user")
        return user if isinstance(user, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    @property
    def login(self) -> str:
        """The user's login as sent."""
        return str(self.user.get("login", ""))

    @cached_property
    def changed(self) -> frozenset[str]:
        """Top-level attributes that differ from `before`; empty if nothing was known."""
        if self.before is None:
            return frozenset()
        return frozenset(
            key
            for key in self.user.keys() | self.before.keys()
            if self.user.get(key) != self.before.get(key) and key not in ("version", "updated", "updatedBy")
        )

    @property
    def key(self) -> str:
        """Names this delivery to another system; with the activity's name it is `tools.key`."""
        return self.delivery
