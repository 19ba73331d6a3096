"""Where the next page begins: sealed, so that it tells nothing, cannot be made up, and fits no other caller's tenants."""

import json
import os
from collections.abc import Collection
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
    """400: cut off, changed, of another question, or of a caller with other tenants."""

    def __init__(self) -> None:
        words = (
            "The cursor is not one that was given to this caller for this question: begin anew without it."
        )
        super().__init__(400, "bad_cursor", words)


class Cursors:
    """Seals positions with a key derived from `fingerprint_key`: any process of the installation reads them."""

    def __init__(self, fingerprint_key: bytes) -> None:
        self._cipher = AESGCM(blake2b(fingerprint_key, digest_size=32, person=b"hookledger curs").digest())

    def seal(self, question: str, tenants: Collection[str], position: dict[str, Any]) -> str:
        """The text of a cursor. `position` is JSON: what was asked, and after what to go on."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return _text(nonce + self._cipher.encrypt(nonce, plain, _bound_to(question, tenants)))

    def open(self, question: str, tenants: Collection[str], cursor: str) -> dict[str, Any]:
        """The position in it. Raises BadCursor."""
        if len(cursor) > LONGEST:
            raise BadCursor
        try:
            sealed = from_base64(cursor)
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(question, tenants))
        except (ValueError, InvalidTag):
            raise BadCursor from None
        return cast("dict[str, Any]", json.loads(plain))


def _text(sealed: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bound_to(question: str, tenants: Collection[str]) -> bytes:
    return json.dumps([question, sorted(tenants)]).encode()
