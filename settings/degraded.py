"""What validate hooks answer while they cannot be decided: `[tenants.NAME.degraded]` (DESIGN §6)."""

from typing import Literal

from pydantic import ConfigDict, Field

from settings.rules import Table

Choice = Literal["closed", "open"]
"""closed: refused as ValidationUnavailable. open: passes, if the rules do not refuse."""


class Degraded(Table):
    """The tenant's choice for each validate hook; the other hooks have one safe answer each."""

    model_config = ConfigDict(serialize_by_alias=True)

    validate_user: Choice = Field(default="closed", alias="validateUser")
    validate_update_user: Choice = Field(default="closed", alias="validateUpdateUser")

    def opens(self, hook: str) -> bool:
        """Whether people pass this hook unchecked."""
        return {"validateUser": self.validate_user, "validateUpdateUser": self.validate_update_user}.get(
            hook
        ) == "open"
