"""Who asks, however they came in: what they are called in the ledger, and what they may in which tenant."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from ledger.walls import EVERYTHING
from settings.query import Role

_RANK = {role: rank for rank, role in enumerate(get_args(Role))}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in one tenant; None for all that are configured."""

    role: Role
    tenant: str | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in. `actor` stands in the ledger: `key:<id>` or `oidc:<sub>`."""

    actor: str
    grants: tuple[Grant, ...]

    def sees(self) -> tuple[str, ...]:
        """What the store shall show them at most, as `ledger.walls.see()` takes it."""
        own = {grant.tenant for grant in self.grants if grant.tenant is not None}
        return (EVERYTHING,) if any(grant.tenant is None for grant in self.grants) else tuple(sorted(own))

    def tenants(self, least: Role, configured: Collection[str]) -> tuple[str, ...]:
        """The configured tenants in which they have at least that role."""
        enough = [grant for grant in self.grants if _RANK[grant.role] >= _RANK[least]]
        everywhere = any(grant.tenant is None for grant in enough)
        return tuple(
            name for name in configured if everywhere or any(grant.tenant == name for grant in enough)
        )

    def everywhere(self, least: Role) -> bool:
        """Whether they have that role in all tenants, also in those that will be configured."""
        return any(grant.tenant is None and _RANK[grant.role] >= _RANK[least] for grant in self.grants)
