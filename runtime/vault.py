"""Seals a delivery's secret for the activity that declared it needs it, bound to that delivery (DESIGN §7)."""

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.epochs import Epochs
from settings import Settings

_HEAD = struct.Struct(">2sQ")
_MARK = b"E1"
_NONCE = 12


class Vault:
    """AES-256-GCM under the key of the hour, which is destroyed in time; without `epochs`, under one derived key.

    The derived key also opens what was sealed before there were epochs; that is over two days after an upgrade.
    """

    def __init__(self, key: bytes, epochs: Epochs | None = None) -> None:
        self._derived = AESGCM(_derive(key, b"hookledger/vault/v1"))
        self.epochs = epochs

    def seal(self, delivery: str, secret: str) -> bytes:
        """Opens only for the same delivery. Raises EpochsAway."""
        nonce = os.urandom(_NONCE)
        if self.epochs is None:
            return nonce + self._derived.encrypt(nonce, secret.encode(), delivery.encode())
        begins, key = self.epochs.current()
        head = _HEAD.pack(_MARK, begins)
        return head + nonce + AESGCM(key).encrypt(nonce, secret.encode(), head + delivery.encode())

    def unseal(self, delivery: str, sealed: bytes) -> str | None:
        """The secret, or None if it was sealed for another delivery, its key is gone or another, or it is no seal at all."""
        if self.epochs is not None and len(sealed) > _HEAD.size and sealed.startswith(_MARK):
            head, rest = sealed[: _HEAD.size], sealed[_HEAD.size :]
            key = self.epochs.key(_HEAD.unpack(head)[1])
            if key is not None and (secret := _open(AESGCM(key), rest, head + delivery.encode())) is not None:
                return secret
        return _open(self._derived, sealed, delivery.encode())


def open_vault(settings: Settings) -> Vault:
    """The vault as configured."""
    key = settings.fingerprint_key
    if settings.vault.folder is None:
        return Vault(key)
    wrapping = settings.vault.key.encode() if settings.vault.key else key
    return Vault(key, Epochs(settings.vault.folder, _derive(wrapping, b"hookledger/vault/wrap/v1")))


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=info).derive(key)


def _open(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> str | None:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to).decode()
    except (InvalidTag, ValueError):
        return None
