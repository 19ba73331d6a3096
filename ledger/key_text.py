"""What a key of the query API looks like: found by secret scanners, checked without a look-up, kept only as a hash."""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from hashlib import sha256

PREFIX = "hlk_"
PATTERN = PREFIX + r"[0-9A-Za-z]{50}"
"""For secret scanners; the last six characters are a checksum of all before them."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _CHECK = 12, 32, 6
_TAG = b"hookledger key\x00"
_FORM = re.compile(PATTERN)


@dataclass(frozen=True, slots=True, repr=False)
class KeyText:
    """A whole key: prefix, id (12), secret (32 characters, 190 bits), checksum (6)."""

    text: str

    @property
    def id(self) -> str:
        """The part that may be seen: it names the key in lists and in the ledger."""
        return self.text[len(PREFIX) :][:_ID]

    @property
    def hash(self) -> bytes:
        """What is kept. The secret is random and long, so that a slow hash would add nothing."""
        return sha256(_TAG + self.text.encode()).digest()

    def fits(self, kept: bytes) -> bool:
        """Whether this is the key with that hash; takes the same time for every wrong one."""
        return hmac.compare_digest(self.hash, kept)


def make() -> KeyText:
    """A new key."""
    plain = PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_ID + _SECRET))
    return KeyText(plain + _check(plain))


def read(text: str) -> KeyText | None:
    """A key that may be one of ours; None for what was cut off, mistyped or made up without its checksum."""
    if not _FORM.fullmatch(text) or _check(text[:-_CHECK]) != text[-_CHECK:]:
        return None
    return KeyText(text)


def _check(plain: str) -> str:
    number = zlib.crc32(plain.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
