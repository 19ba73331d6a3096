"""Where the keys of sealed passwords are kept, outside the store: `[vault]` (DESIGN §7)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from settings.references import Referenced
from settings.rules import looks_like
from settings.table import Table

_LEAST_KEY = 32


class VaultKey(Table):
    """One wrapping key: a text of at least 32 octets, of which the key that wraps is derived."""

    name: Annotated[str, looks_like(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - or _")] = (
        "current"
    )
    secret: Annotated[str, Referenced] = Field(repr=False)

    @field_validator("secret")
    @classmethod
    def _is_long(cls, secret: str) -> str:
        if len(secret.encode()) < _LEAST_KEY:
            raise ValueError("must have at least 32 bytes: it wraps the keys of people's passwords")
        return secret


class Vault(Table):
    """`folder`, which api and worker share, is relative to this file; without one no password is kept.

    The first of `keys` wraps the files in it, all open them; without any, the key is derived from `fingerprint_key`.
    """

    folder: Path | None = None
    keys: tuple[VaultKey, ...] = ()

    @field_validator("folder")
    @classmethod
    def _beside_the_configuration(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return folder if folder is None or info.context is None else Path(info.context) / folder
