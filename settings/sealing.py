"""How the ledger is sealed, and who keeps its checkpoints elsewhere: `[ledger.seal]` and `[ledger.holder]` (DESIGN §7)."""

import base64
import binascii
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from settings.erasing import Copies, ErasureList
from settings.mistakes import Mistake, TableError
from settings.platform import safe_address
from settings.references import ReferencedIfThere
from settings.retention import Retention
from settings.rules import looks_like
from settings.spans import FLOOR, Span
from settings.table import Table

_SEED_BYTES = 32

Origin = Annotated[
    str,
    looks_like(r"[^\s+]{1,200}", "must be a name without blanks and +, as example.com/ledger is"),
]
KeyName = Annotated[str, looks_like(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - or _")]


def seed_of(text: str) -> bytes:
    """The 32 bytes behind a secret in URL-safe base64, as make dev and deploy/make-secrets write it. Raises ValueError."""
    try:
        seed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != _SEED_BYTES:
        raise ValueError("must be 32 random bytes in URL-safe base64: 43 characters")
    return seed


def public_of(text: str) -> tuple[str, bytes]:
    """Name and Ed25519 key of a verifier key, `name+hash+base64` (c2sp.org/signed-note). Raises ValueError."""
    name, _, rest = text.partition("+")
    digest, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        data = b""
    known = sha256(name.encode() + b"\n" + data).digest()[:4].hex()
    if not name or len(data) != 1 + _SEED_BYTES or data[0] != 1 or digest != known:
        raise ValueError(
            "must be a verifier key of Ed25519, as ./hookledger ledger checkpoint --keys prints it"
        )
    return name, data[1:]


class SealKey(Table):
    """One key. `secret` signs; it is None in processes that are not given it. `public` is enough to verify."""

    name: KeyName
    secret: Annotated[str | None, ReferencedIfThere] = Field(default=None, repr=False)
    public: str | None = None

    @field_validator("secret")
    @classmethod
    def _is_a_seed(cls, secret: str | None) -> str | None:
        if secret is not None:
            seed_of(secret)
        return secret

    @field_validator("public")
    @classmethod
    def _is_a_key(cls, public: str | None) -> str | None:
        if public is not None:
            public_of(public)
        return public


class Seal(Table):
    """`origin` names this ledger in every checkpoint. `sign_with` is the key in use, else the first; others verify only.

    `interval` in seconds: what is not sealed yet is not protected yet.
    """

    origin: Origin
    keys: Annotated[tuple[SealKey, ...], Field(min_length=1)]
    sign_with: KeyName | None = None
    interval: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 60.0

    @model_validator(mode="after")
    def _names_its_keys(self) -> Self:
        names = [key.name for key in self.keys]
        found: list[Mistake] = [
            (("keys", place, "name"), "is also the name of another key")
            for place, name in enumerate(names)
            if name in names[:place]
        ]
        if self.sign_with is not None and self.sign_with not in names:
            found.append((("sign_with",), "names no key of ledger.seal.keys"))
        if found:
            raise TableError(*found)
        return self

    @property
    def active(self) -> SealKey:
        """The key that signs."""
        return next((key for key in self.keys if key.name == self.sign_with), self.keys[0])


class Holder(Table):
    """Who keeps the newest checkpoint out of this ledger's reach: a file, relative to this one, or an address to PUT to."""

    file: Path | None = None
    url: str | None = None
    token: Annotated[str | None, ReferencedIfThere] = Field(default=None, repr=False)

    @field_validator("file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        return file if file is None or info.context is None else Path(info.context) / file

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        return None if url is None else safe_address(url)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.file is None) is (self.url is None):
            raise ValueError("needs file or url, one of them")
        return self


class Evidence(Table):
    """What makes the ledger evidence. Without `seal` nothing is sealed, and the doctor says so.

    legal_floor: nothing is kept shorter than this, and so long after the platform last told of a person they are not erased.
    """

    seal: Seal | None = None
    holder: Holder | None = None
    legal_floor: Span = FLOOR
    erasures: ErasureList | None = None
    copies: Copies = Copies()
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _keeps_what_the_law_asks(self) -> Self:
        found = [(("retention", *where), words) for where, words in self.retention.mistakes(self.legal_floor)]
        if found:
            raise TableError(*found)
        return self
