"""Seals a delivery's secret for the activity that declared it needs it, bound to that delivery and to the hour's key."""

import logging
import os
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from activities._activity import SEALED_FOR
from activities._errors import SecretOutOfReach
from runtime.vault.epoch import HOUR, Epoch

log = logging.getLogger(__name__)

_HEAD = struct.Struct(">3sBIH")
"""`HLV`, the version of the form, the key's hour and serial."""
_MARK, _VERSION = b"HLV", 1
_NONCE = 12
_SOON = 60.0
"""Seconds before an hour in which its key is made."""

NO_FOLDER = "no [vault] folder is configured"


class EpochKeys(Protocol):
    """Where epoch keys are kept: a folder today. Methods may wait, and raise OSError."""

    def take(self, hour: int) -> tuple[Epoch, bytes]:
        """The newest key of an hour, made if there is none."""
        ...

    def read(self, epoch: Epoch) -> bytes | None:
        """The key, None if it is not there or does not open."""
        ...

    def was_destroyed(self, epoch: Epoch) -> bool:
        """Whether it was destroyed, as far as is written down."""
        ...


class Vault:
    """One per process. `refresh` fetches the keys that seal, in the background: sealing itself touches no disk."""

    def __init__(
        self, keys: EpochKeys | None, fingerprint_key: bytes, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._earlier = AESGCM(
            HKDF(SHA256(), 32, salt=None, info=b"hookledger/vault/v1").derive(fingerprint_key)
        )
        self._clock = clock
        self._current: dict[int, tuple[Epoch, AESGCM]] = {}
        self._trouble = NO_FOLDER if keys is None else ""

    @property
    def trouble(self) -> str:
        """Why no new key can be had, and until when the last one helps out; empty while all is well."""
        if self._keys is None:
            return NO_FOLDER
        sealing = self._sealing()
        if sealing is None:
            return f"{self._trouble or 'no key was made in time'}: passwords are not kept"
        until = sealing[0].begins + timedelta(hours=2)
        return self._trouble and f"{self._trouble}: passwords are kept until {until:%H:%M}Z"

    def refresh(self) -> None:
        """Takes the key of this hour, and shortly before its end that of the next. Raises nothing: see `trouble`."""
        if self._keys is None:
            return
        now = self._clock()
        try:
            current = {hour: self._keys.take(hour) for hour in {int(now) // HOUR, int(now + _SOON) // HOUR}}
        except OSError as wrong:
            self._say(f"its folder cannot be used ({wrong.strerror or type(wrong).__name__})")
            return
        self._current = {hour: (epoch, AESGCM(key)) for hour, (epoch, key) in current.items()}
        if self._trouble:
            self._trouble = ""
            log.warning("vault: its folder can be used again")

    def hangs(self) -> None:
        """A `refresh` does not come back; the one that does takes it back."""
        self._say("its folder does not answer")

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("vault: %s", self.trouble)

    def seal(self, delivery: str, secret: str) -> bytes | None:
        """Head, nonce and ciphertext; opens only for the same delivery. None if there is no key to seal with."""
        found = self._sealing()
        if found is None:
            return None
        epoch, cipher = found
        head, nonce = _HEAD.pack(_MARK, _VERSION, epoch.hour, epoch.serial), os.urandom(_NONCE)
        return head + nonce + cipher.encrypt(nonce, secret.encode(), head + delivery.encode())

    def unseal(self, delivery: str, sealed: bytes) -> str | None:
        """The secret; None if it is gone for good: its key is destroyed, or its time is over, or it is no seal at all.

        Raises SecretOutOfReach if it does not open for any other reason, and OSError where the disk refuses.
        """
        epoch = epoch_of(sealed)
        if epoch is not None and (text := self._open(epoch, delivery, sealed)) is not None:
            return text
        # Until 0.2.0: what an api of a release before epoch keys sealed, for two days after the upgrade.
        earlier = _opened(self._earlier, sealed[:_NONCE], sealed[_NONCE:], delivery.encode())
        if earlier is None and epoch is not None and not self._gone(epoch):
            raise SecretOutOfReach(
                f"vault key {epoch.name} does not open it here: give this worker the api's [vault] folder and keys"
            )
        return earlier

    def _gone(self, epoch: Epoch) -> bool:
        """Only what is known to be gone is: a key that is not seen may be behind a mount, or wrapped with a new key."""
        if epoch.due(SEALED_FOR) <= datetime.fromtimestamp(self._clock(), UTC):
            return True
        return self._keys is not None and self._keys.was_destroyed(epoch)

    def _open(self, epoch: Epoch, delivery: str, sealed: bytes) -> str | None:
        # From the disk each time: a key that was destroyed is gone for this process as well.
        try:
            key = self._keys.read(epoch) if self._keys else None
        except OSError as wrong:
            log.error("vault: key %s cannot be read (%s)", epoch.name, wrong.strerror)
            raise
        if key is None:
            return None
        head, rest = sealed[: _HEAD.size], sealed[_HEAD.size :]
        return _opened(AESGCM(key), rest[:_NONCE], rest[_NONCE:], head + delivery.encode())

    def _sealing(self) -> tuple[Epoch, AESGCM] | None:
        hour = int(self._clock()) // HOUR
        # A key lives an hour longer than what it seals: where no new one can be made, the last one helps out.
        return self._current.get(hour) or self._current.get(hour - 1)


def epoch_of(sealed: bytes) -> Epoch | None:
    """Whose key sealed it; None for what was sealed before there were epoch keys, or is no seal."""
    if len(sealed) < _HEAD.size:
        return None
    mark, version, hour, serial = _HEAD.unpack_from(sealed)
    return Epoch(hour, serial) if (mark, version) == (_MARK, _VERSION) else None


def _opened(cipher: AESGCM, nonce: bytes, text: bytes, bound_to: bytes) -> str | None:
    try:
        return cipher.decrypt(nonce, text, bound_to).decode()
    except (InvalidTag, ValueError):
        return None
