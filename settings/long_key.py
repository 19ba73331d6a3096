"""A key of which others are derived: a reference to a text that is long enough."""

from typing import Annotated

from pydantic import Field, field_validator

from settings.references import Referenced
from settings.rules import looks_like
from settings.table import Table

_LEAST = 32


class LongKey(Table):
    """`secret` has at least 32 octets. Of several keys the first is used; the others still open."""

    name: Annotated[str, looks_like(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - or _")] = (
        "current"
    )
    secret: Annotated[str, Referenced] = Field(repr=False)

    @field_validator("secret")
    @classmethod
    def _is_long(cls, secret: str) -> str:
        if len(secret.encode()) < _LEAST:
            raise ValueError("must have at least 32 bytes: other keys are derived from it")
        return secret
