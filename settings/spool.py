"""Where hooks are kept while the store is away: `[spool]` (DESIGN §6)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from settings.references import Referenced
from settings.rules import looks_like
from settings.table import Table

_LEAST_KEY = 32


class SpoolKey(Table):
    """One key: a text of at least 32 octets, of which the key that seals is derived."""

    name: Annotated[str, looks_like(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - or _")] = (
        "current"
    )
    secret: Annotated[str, Referenced] = Field(repr=False)

    @field_validator("secret")
    @classmethod
    def _is_long(cls, secret: str) -> str:
        if len(secret.encode()) < _LEAST_KEY:
            raise ValueError("must have at least 32 bytes: it seals what people's hooks hold")
        return secret


class Spool(Table):
    """`folder`, on a local disk that outlives the process, is relative to this file; without one there is no spool.

    The first of `keys` seals, all open; without any, the key is derived from `fingerprint_key`. `max_bytes` bounds
    what all apis of the host keep together.
    """

    folder: Path | None = None
    keys: tuple[SpoolKey, ...] = ()
    max_bytes: Annotated[int, Field(ge=1_048_576)] = 1_073_741_824

    @field_validator("folder")
    @classmethod
    def _beside_the_configuration(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return folder if folder is None or info.context is None else Path(info.context) / folder
