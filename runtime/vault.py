"""Seals a delivery's secret for the activity that declared it needs it, bound to that delivery."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Vault:
    """AES-256-GCM under a key derived from the fingerprint key, which never enters the store."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=b"hookledger/vault/v1").derive(key))

    def seal(self, delivery: str, secret: str) -> bytes:
        """Nonce and ciphertext; opens only for the same delivery."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), delivery.encode())

    def unseal(self, delivery: str, sealed: bytes) -> str | None:
        """The secret, or None if it was sealed for another delivery or under another key, or is no seal at all."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], delivery.encode()).decode()
        except (InvalidTag, ValueError):
            return None
