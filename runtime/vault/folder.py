"""The epoch keys as files of a folder that api and worker share: made by exactly one, wrapped, overwritten, and listed."""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.vault.epoch import Epoch

log = logging.getLogger(__name__)

_MAGIC = b"HLK\x01"
"""Of a file: its fourth octet is the version of its form."""
_NONCE = 12
_KEY = 32
_SUFFIX = ".key"
_GONE = ".gone"
"""Of a file that was a key, and is noise: it stands until the list has its line, which a full disk may refuse."""
_HALF = ".half-"
_HALF_FOR = 3600.0
"""Seconds after which a file that nobody finished is a dead process's."""
_LIST = "destroyed.jsonl"
_TOLD = 3
"""Files that are named of those which could not be destroyed."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A line of the list of what was destroyed. `why`: `expired`, or an operator's words."""

    key: str
    at: str
    why: str
    by: str


class Folder:
    """Mode 0700, its files 0600. All methods wait for the disk and raise OSError where it refuses."""

    def __init__(self, path: Path, wrapping: Sequence[bytes]) -> None:
        self.path = path
        self._wrapping = [AESGCM(key) for key in wrapping]

    def take(self, hour: int) -> tuple[Epoch, bytes]:
        """The newest key of an hour, which is made if there is none that opens. Of several who make it, one does."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            there = [epoch for epoch in self.epochs() if epoch.hour == hour]
            if there and (key := self.read(there[-1])) is not None:
                return there[-1], key
            with contextlib.suppress(FileExistsError):
                return self._make(hour)

    def rotate(self, hour: int) -> Epoch:
        """Another key for an hour, which seals from now on."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            with contextlib.suppress(FileExistsError):
                return self._make(hour)[0]

    def read(self, epoch: Epoch) -> bytes | None:
        """The key; None if it is not here, damaged, or wrapped with a key that is not configured."""
        try:
            text = self._file(epoch).read_bytes()
        except FileNotFoundError:
            return None
        if not text.startswith(_MAGIC):
            return None
        nonce, wrapped = text[len(_MAGIC) :][:_NONCE], text[len(_MAGIC) + _NONCE :]
        for cipher in self._wrapping:
            with contextlib.suppress(InvalidTag, ValueError):
                return cipher.decrypt(nonce, wrapped, _MAGIC + epoch.name.encode())
        return None

    def epochs(self) -> list[Epoch]:
        """All keys that are there, the oldest first. Empty where there is no folder."""
        return self._named(_SUFFIX)

    def destroy(self, epoch: Epoch, why: str, by: str) -> bool:
        """Overwrites the file, takes its name away and gives the list its line; False if somebody else had done so.

        Raises OSError where it is not destroyed. A list that takes no line stops nothing: `destroy_due` tries it again.
        """
        with self._alone():
            file = self._file(epoch)
            if not file.exists():
                return False
            _overwrite(file)
            file.rename(self._file(epoch, _GONE))
            _sync(self.path)
            log.warning(
                "vault key %s destroyed by %s: %s",
                epoch.name,
                by,
                "its time is over" if why == "expired" else why,
            )
            try:
                self._list(epoch, why, by)
            except OSError as wrong:
                log.error("vault: %s takes no line for key %s (%s)", _LIST, epoch.name, wrong.strerror)
        return True

    def destroy_due(self, life: timedelta, now: datetime, by: str) -> int:
        """Destroys each key whose time is over, and what dead processes left; how many keys there were.

        Raises OSError after all have been tried, with the names of those that are left: none keeps another one alive.
        """
        done, left = 0, dict[str, OSError]()
        for epoch in self.epochs():
            if epoch.due(life) <= now:
                with _noting(left, epoch.name):
                    done += self.destroy(epoch, "expired", by)
        for epoch in self._named(_GONE):
            why = "expired" if epoch.due(life) <= now else "not known: the list had no line of it"
            with _noting(left, _LIST), self._alone():
                self._list(epoch, why, by)
        for half in self.path.glob(_HALF + "*"):
            with _noting(left, half.name), contextlib.suppress(FileNotFoundError):
                if time.time() - half.stat().st_mtime > _HALF_FOR:
                    _overwrite(half)
                    half.unlink()
        if left:
            raise _several(left)
        return done

    def destroyed(self) -> list[Destroyed]:
        """The list, the oldest first; a line that cannot be read is passed over."""
        try:
            lines = (self.path / _LIST).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[Destroyed] = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                found.append(Destroyed(**json.loads(line)))
        return found

    def was_destroyed(self, epoch: Epoch) -> bool:
        """Whether the list has it, or owes it a line. A key that is only not here may come back with its mount."""
        return self._file(epoch, _GONE).exists() or self._is_listed(epoch)

    def _make(self, hour: int) -> tuple[Epoch, bytes]:
        """A new key under the hour's next serial. Raises FileExistsError if another process was first."""
        # A serial is never used twice: a name of the list stays that of the key that was destroyed.
        listed = (e for d in self.destroyed() if (e := Epoch.named(d.key)) is not None)
        known = [*self.epochs(), *self._named(_GONE), *listed]
        epoch = Epoch(hour, max((e.serial + 1 for e in known if e.hour == hour), default=0))
        key, nonce = secrets.token_bytes(_KEY), secrets.token_bytes(_NONCE)
        text = _MAGIC + nonce + self._wrapping[0].encrypt(nonce, key, _MAGIC + epoch.name.encode())
        half = self.path / f"{_HALF}{secrets.token_hex(8)}"
        try:
            with _opened(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                _write(file, text)
            # A link is there whole or not at all, and fails where the name is taken: one wins, nobody reads a half.
            os.link(half, self._file(epoch))
        finally:
            half.unlink(missing_ok=True)
        _sync(self.path)
        log.info("vault key %s made", epoch.name)
        return epoch, key

    def _list(self, epoch: Epoch, why: str, by: str) -> None:
        """Its line, once, and away with what stands for it. By who is alone."""
        if not self._is_listed(epoch):
            at = datetime.now(UTC).isoformat(timespec="seconds")
            _append(self.path / _LIST, asdict(Destroyed(epoch.name, at, why, by)))
        self._file(epoch, _GONE).unlink(missing_ok=True)

    def _is_listed(self, epoch: Epoch) -> bool:
        return any(line.key == epoch.name for line in self.destroyed())

    def _named(self, suffix: str) -> list[Epoch]:
        names = [path.name for path in self.path.iterdir()] if self.path.is_dir() else []
        found = (Epoch.named(name.removesuffix(suffix)) for name in names if name.endswith(suffix))
        return sorted(epoch for epoch in found if epoch is not None)

    def _file(self, epoch: Epoch, suffix: str = _SUFFIX) -> Path:
        return self.path / f"{epoch.name}{suffix}"

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        with contextlib.ExitStack() as held:
            # A full disk may have no room for the first lock: it must not keep a key alive.
            with contextlib.suppress(OSError):
                lock = held.enter_context(_opened(self.path / "lock", os.O_WRONLY | os.O_CREAT))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]
    os.fsync(file)


def _append(path: Path, line: dict[str, str]) -> None:
    """A line of JSON, whole or not at all; what a crash cut short stays a line of its own."""
    with _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        try:
            _write(file, (torn * "\n" + json.dumps(line, ensure_ascii=False) + "\n").encode())
        except OSError:
            os.ftruncate(file, size)
            raise


def _overwrite(path: Path) -> None:
    """In place, which disks that copy on write do not honour (docs/vault.md)."""
    with _opened(path, os.O_WRONLY) as file:
        _write(file, secrets.token_bytes(max(os.fstat(file).st_size, 1)))


@contextlib.contextmanager
def _noting(left: dict[str, OSError], name: str) -> Generator[None]:
    try:
        yield
    except OSError as wrong:
        left[name] = wrong


def _several(left: dict[str, OSError]) -> OSError:
    """All of them as one, with the number of the first."""
    words = [f"{name}: {wrong.strerror}" for name, wrong in left.items()]
    more = [f"{len(words) - _TOLD} more"] if len(words) > _TOLD else []
    return OSError(next(iter(left.values())).errno, "; ".join(words[:_TOLD] + more))


def _sync(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as file:
        os.fsync(file)
