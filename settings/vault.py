"""Where the keys of sealed passwords are: `[vault]` (DESIGN §7)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from settings.references import ReferencedIfThere
from settings.table import Table

_LEAST_KEY = 32


class Vault(Table):
    """`folder` holds a key per hour and is shared by apis and workers, relative to this file; without one, passwords are
    sealed under one key derived from `fingerprint_key`. `key` wraps the keys in the folder; else that is derived, too.
    """

    folder: Path | None = None
    key: Annotated[str | None, ReferencedIfThere] = Field(default=None, repr=False)

    @field_validator("folder")
    @classmethod
    def _beside_the_configuration(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        return folder if folder is None or info.context is None else Path(info.context) / folder

    @field_validator("key")
    @classmethod
    def _is_long(cls, key: str | None) -> str | None:
        if key is not None and len(key.encode()) < _LEAST_KEY:
            raise ValueError("must have at least 32 bytes: it wraps the keys of sealed passwords")
        return key
