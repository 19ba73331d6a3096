"""The keys of sealed passwords: one for each hour, in a folder outside Postgres and its backups, destroyed in time."""

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from activities._activity import SEALED_FOR

log = logging.getLogger(__name__)

HOUR = 3600
KEPT_FOR = SEALED_FOR + timedelta(hours=1)
"""How long after its hour a key can still be needed; then it is destroyed (DESIGN §7)."""
_NONCE = 12
_KEY = 32
_LOOK_AGAIN = 10.0
"""Seconds after which a process notices that the key was changed within the hour."""
_TIDY_EVERY = 60.0


class EpochsAway(Exception):
    """The folder cannot be used: nothing can be sealed under a key that will be destroyed."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One key on disk, by when it begins (seconds since the epoch), and when it is destroyed."""

    begins: int

    @property
    def ends(self) -> int:
        """When its hour is over."""
        return (self.begins // HOUR + 1) * HOUR

    @property
    def destroyed_at(self) -> float:
        """When nothing that it sealed can be needed any more."""
        return self.ends + KEPT_FOR.total_seconds()


class Epochs:
    """Of one process; any number of processes share the folder. The wrapping key makes a copy of it useless alone."""

    def __init__(self, folder: Path, wrapping: bytes) -> None:
        self._folder = folder
        self._wrapping = AESGCM(wrapping)
        self._known: dict[int, bytes] = {}
        self._current = 0
        self._looked = self._tidied = -1e9

    def current(self) -> tuple[int, bytes]:
        """The key to seal under now, and its epoch. Raises EpochsAway."""
        now = time.time()
        if self._current // HOUR != int(now) // HOUR or time.monotonic() - self._looked > _LOOK_AGAIN:
            try:
                self._current = self._newest(int(now)) or self._make(int(now) // HOUR * HOUR)
            except OSError as wrong:
                raise EpochsAway(f"{self._folder}: {wrong.strerror}") from wrong
            self._looked = time.monotonic()
        key = self.key(self._current)
        if key is None:
            raise EpochsAway(f"{self._folder}: the key of this hour does not open")
        return self._current, key

    def key(self, begins: int) -> bytes | None:
        """The key of that epoch, None if it is not there any more or was not wrapped by us."""
        if time.time() >= Epoch(begins).destroyed_at:
            self._known.pop(begins, None)
            return None
        if begins not in self._known:
            try:
                data = self._path(begins).read_bytes()
                self._known[begins] = self._wrapping.decrypt(
                    data[:_NONCE], data[_NONCE:], str(begins).encode()
                )
            except (OSError, InvalidTag, ValueError):
                return None
        return self._known[begins]

    def rotate(self) -> int:
        """Makes a new key now, within the hour: what is sealed from now on is under it. Raises EpochsAway."""
        try:
            self._current = self._make(int(time.time()))
        except OSError as wrong:
            raise EpochsAway(f"{self._folder}: {wrong.strerror}") from wrong
        self._looked = time.monotonic()
        return self._current

    def all(self) -> list[Epoch]:
        """The keys on disk, oldest first."""
        if not self._folder.is_dir():
            return []
        names = (path.stem.removeprefix("epoch-") for path in self._folder.glob("epoch-*.key"))
        return sorted((Epoch(int(name)) for name in names if name.isdigit()), key=lambda epoch: epoch.begins)

    def tidy(self) -> int:
        """Destroys what has had its time, looking at most once a minute. How many it destroyed."""
        if time.monotonic() - self._tidied < _TIDY_EVERY:
            return 0
        self._tidied = time.monotonic()
        now = time.time()
        return self.destroy([epoch for epoch in self.all() if epoch.destroyed_at <= now])

    def destroy(self, epochs: list[Epoch]) -> int:
        """Overwrites and removes these keys, in memory too: what they sealed can be opened by nobody any more."""
        for epoch in epochs:
            self._known.pop(epoch.begins, None)
            with contextlib.suppress(FileNotFoundError):
                _shred(self._path(epoch.begins))
        if epochs:
            _sync(self._folder)
            self._current, self._looked = 0, -1e9
            log.info("vault: %d keys destroyed", len(epochs))
        return len(epochs)

    def _newest(self, now: int) -> int | None:
        """The newest key of this hour."""
        found = [epoch.begins for epoch in self.all() if now // HOUR * HOUR <= epoch.begins <= now]
        return found[-1] if found else None

    def _make(self, begins: int) -> int:
        """Makes the key, unless another process has just made it: then that one counts."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        nonce = os.urandom(_NONCE)
        wrapped = nonce + self._wrapping.encrypt(nonce, os.urandom(_KEY), str(begins).encode())
        draft = self._folder / f".{begins}-{os.getpid()}-{os.urandom(4).hex()}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(handle, wrapped)
                os.fsync(handle)
            finally:
                os.close(handle)
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path(begins))
        finally:
            draft.unlink(missing_ok=True)
        _sync(self._folder)
        return begins

    def _path(self, begins: int) -> Path:
        return self._folder / f"epoch-{begins}.key"


def _shred(path: Path) -> None:
    """Overwritten first: where the disk writes in place, the old octets are gone. Elsewhere see docs/vault.md."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
