"""One authenticated, parsed delivery, as the rest of the answer path sees it."""

from dataclasses import dataclass, field
from uuid import UUID

from api.caller import Caller
from hooks.hook import Hook, Json
from rules.policy import Policy
from settings import Tenant


@dataclass(frozen=True, slots=True)
class Heard:
    """What came, from whom, and the policy it is decided by."""

    hook: Hook
    name: str
    receipt: UUID
    caller: Caller
    tenant: Tenant
    policy: Policy
    request: Json = field(repr=False)
    user: Json = field(repr=False)
    raw: bytes = field(repr=False)
    only_request: bool
    """The body holds the request and nothing beside it."""
    source_id: str | None
