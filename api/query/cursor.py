"""Where the next page begins: sealed, so that it tells nothing, cannot be made up, and fits no other question."""

import base64
import json
import os
from hashlib import blake2b
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.problems import Problem
from settings import from_base64

_NONCE = 12
LONGEST = 4096
"""Characters."""


class BadCursor(Problem):
    """400: cut off, changed, of another question, or of a tenant that the caller may not read."""

    def __init__(self) -> None:
        words = (
            "The cursor is not one that was given to this caller for this question: begin anew without it."
        )
        super().__init__(400, "bad_cursor", words)


class Cursors:
    """Seals positions with a key derived from `fingerprint_key`: any process of the installation reads them."""

    def __init__(self, fingerprint_key: bytes) -> None:
        self._cipher = AESGCM(blake2b(fingerprint_key, digest_size=32, person=b"hookledger curs").digest())

    def seal(self, question: str, position: dict[str, Any]) -> str:
        """The text of a cursor. `position` is JSON: what was asked, of whose ledger, and after what to go on."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return _text(nonce + self._cipher.encrypt(nonce, plain, question.encode()))

    def open(self, question: str, cursor: str) -> dict[str, Any]:
        """The position in it; whether the caller may ask that is still to be seen. Raises BadCursor."""
        if len(cursor) > LONGEST:
            raise BadCursor
        try:
            sealed = from_base64(cursor)
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], question.encode())
        except (ValueError, InvalidTag):
            raise BadCursor from None
        return cast("dict[str, Any]", json.loads(plain))


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
