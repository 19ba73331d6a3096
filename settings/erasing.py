"""What binds erasure: the floor under it, the list outside the store, and how long copies live: `[ledger.…]` (docs/erase.md)."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from settings.platform import safe_address
from settings.references import Folder, ReferencedIfThere
from settings.spans import Span
from settings.table import Table


class ErasureList(Table):
    """Where erasures are listed, out of reach of the store's backups: a folder, relative to this file, or an address.

    An address is put to as `{url}/{number}`, with `If-None-Match: *`, and read from there.
    """

    folder: Folder | None = None
    url: str | None = None
    token: Annotated[str | None, ReferencedIfThere] = Field(default=None, repr=False)

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        return None if url is None else safe_address(url).rstrip("/")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.folder is None) is (self.url is None):
            raise ValueError("needs folder or url, one of them")
        return self


class Copies(Table):
    """How long what was erased lives on in copies, as whoever runs the store has set it up. None: nobody has said.

    `packs`: exported evidence, as its receivers have promised to keep it.
    """

    wal: Span | None = None
    backups: Span | None = None
    replicas: Span | None = None
    packs: Span | None = None
