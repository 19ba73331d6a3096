"""Child processes that never outlive us, and the ports they listen on."""

import contextlib
import ctypes
import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from runtime.giving_way import give_way

_PR_SET_PDEATHSIG = 1
_LONGEST_LOG = 10 * 1024 * 1024
# Loaded before any fork: between fork and exec there is no safe moment to load a library.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform.startswith("linux") else None


class StackError(Exception):
    """The stack cannot start or go on; the text says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The operating system's user that a child runs as."""

    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    account: Account | None = None,
    cwd: Path | None = None,
    last_will: signal.Signals = signal.SIGTERM,
    gives_way: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a child in a session of its own, so that the terminal's Ctrl-C reaches only us.

    What it says is added to `log`. Where the kernel can (Linux), the child gets `last_will` when the *thread* that
    called spawn ends, however it ends, kill -9 included: call it from a thread that lives as long as the child shall.
    One that `gives_way` takes less of the processor than an api, as workers do.
    """
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_suffix(".log.1"))

    def prepare() -> None:
        # After the change of user, which would clear it (prctl(2), PR_SET_PDEATHSIG).
        if _PRCTL:
            _PRCTL(_PR_SET_PDEATHSIG, int(last_will), 0, 0, 0)
        if gives_way:
            give_way()

    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=prepare,  # noqa: PLW1509 - system calls of what is loaded, nothing that could take a lock
        )


def end(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM, grace: float = 10.0) -> bool:
    """Asks a child to end, waits `grace` seconds, then kills its whole group. True if asking was enough."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(by)
    try:
        process.wait(grace)
        return True
    except subprocess.TimeoutExpired:
        kill(process)
        return False


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a child of `spawn` with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def find(pid: int) -> psutil.Process | None:
    """The process of that id, if it lives (a zombie does not)."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier one, waiting to time out, do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """ " by process 123 (nginx)", as far as we may know; else an empty text."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,)
            if listens and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment, below those that the system gives to connections.

    One of theirs would be taken again and again by the next connection of somebody else, before it is listened on.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_768)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError as wrong:
                if wrong.errno == errno.EADDRINUSE:
                    continue
                raise
            return port


def tail(log: Path, lines: int = 3) -> str:
    """The last lines of a log, for the sentence that says where to look; of a crash in Go, those that say why."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    told = text.splitlines()
    start = len(told) - lines
    # A trace of Go's ends in lines with a tab; what happened stands where it begins.
    if told and told[-1].startswith("\t"):
        crashes = [at for at, line in enumerate(told) if line.startswith(("panic:", "fatal error:"))]
        start = crashes[-1] if crashes else start
    return "\n".join(told[max(0, start) :][:lines])
