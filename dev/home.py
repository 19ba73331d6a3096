"""The directory .hookledger/: made, locked, stocked with secrets, cleared of what a killed start left."""

import contextlib
import errno
import fcntl
import json
import os
import shlex
import shutil
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

import psutil

from dev import cluster, keys
from dev.processes import StackError, find

_LEAST_FREE = 512 * 1024 * 1024
_SECRETS = ("webhook.key", "fingerprint.key", "seal.key")
_PATIENCE = 5.0
"""Seconds for what a killed start left behind: it was told to end when that start died."""


@contextlib.contextmanager
def occupied(home: Path) -> Generator[None]:
    """Makes `home` and holds it alone; raises StackError if another process does, or if nothing can be kept there."""
    with in_words():
        cluster.make(home)
        lock = os.fdopen(os.open(home / "dev.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        with lock:
            _take(lock.fileno(), home)
            os.truncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), str(os.getpid()).encode(), 0)
            _check_space(home)
            for name in _SECRETS:
                keys.read_or_make(home / "secrets" / name)
            (home / "logs").mkdir(mode=0o700, exist_ok=True)
            yield


@contextlib.contextmanager
def in_words() -> Generator[None]:
    """What the operating system refuses, as a StackError with a way out."""
    try:
        yield
    except OSError as error:
        way_out = {
            errno.ENOSPC: "make room on that disk",
            errno.EDQUOT: "make room in your quota",
            errno.EROFS: "that file system is read-only: clone the project to another",
        }.get(
            error.errno or 0, "start as the user whom the project's directory belongs to, or change its owner"
        )
        raise StackError(
            f"{error.filename or 'the machine'}: {error.strerror or error}; {way_out}"
        ) from error


def remember(home: Path, pids: Iterable[int]) -> None:
    """Writes down which processes we started, for the start after us."""
    known = [(pid, process.create_time()) for pid in pids if (process := find(pid))]
    half = home / "processes.json.new"
    half.write_text(json.dumps(known), encoding="ascii")
    half.replace(home / "processes.json")


def end_leftovers(home: Path) -> int:
    """Ends what a killed start left running, if it does not end by itself; how many there were."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        left = [
            process
            for pid, created in json.loads((home / "processes.json").read_text(encoding="ascii"))
            if (process := find(pid)) and process.create_time() == created
        ]
        alive = left
        _, alive = psutil.wait_procs(left, timeout=_PATIENCE)
        for how in (psutil.Process.terminate, psutil.Process.kill):
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    how(process)
            _, alive = psutil.wait_procs(alive, timeout=_PATIENCE)
        return len(left)
    return 0


def write_environment(home: Path, environment: Mapping[str, str]) -> None:
    """What `./hookledger` in another terminal needs to speak with this stack: shell assignments, 0600."""
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    half = home / "env.new"
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.replace(home / "env")


def _take(lock: int, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode() or "unknown"
        raise StackError(
            f"another `make dev` (process {holder}) already runs here, on {home}: use that one, or end it with "
            f"Ctrl-C in its terminal or `kill {holder}`"
        ) from None


def _check_space(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < _LEAST_FREE:
        raise StackError(
            f"only {free // 2**20} MiB are free on the disk of {home}, and the ledger needs {_LEAST_FREE // 2**20}: "
            "make room, or clone the project to a larger disk"
        )
