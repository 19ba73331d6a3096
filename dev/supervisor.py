"""Keeps the parts of the stack running: restarts who dies, drains them in order, leaves nobody behind."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dev import home, processes
from dev.processes import StackError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STABLE_AFTER = 60.0
"""Seconds after which a part is well again: its next death is its first."""


class Running(Protocol):
    """What the start of a part gives."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Command:
    """A child that drains on SIGTERM."""

    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        processes.end(self.process)


@dataclass
class _Part:
    name: str
    start: Callable[[], Running]
    running: Running
    since: float
    deaths: int = 0
    due: float | None = None


@dataclass
class Supervisor:
    """The parts in the order of their start. `report(part, words)` tells what happened; `home` remembers who runs."""

    home: Path
    report: Callable[[str, str], None]
    grace: float = 30.0
    _parts: list[_Part] = field(default_factory=list[_Part])

    def start(self, name: str, start: Callable[[], Running]) -> None:
        """Starts a part, from now on kept running by `look`. Raises what `start` raises."""
        self._parts.append(_Part(name, start, start(), time.monotonic()))
        self._remember()

    def ended(self) -> tuple[str, str] | None:
        """The first part that is not running, and how it ended."""
        return next(((part.name, how) for part in self._parts if (how := _how_it_ended(part.running))), None)

    def look(self) -> None:
        """Notices deaths, and starts again whose pause is over: 0.5 s, doubled by each further death, at most 30 s."""
        now = time.monotonic()
        for part in self._parts:
            if part.due is None:
                if how := _how_it_ended(part.running):
                    part.deaths = 1 if now - part.since > _STABLE_AFTER else part.deaths + 1
                    self._pause(part, how)
            elif now >= part.due:
                self._restart(part)

    def tell(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a part that runs."""
        for part in self._parts:
            if part.name == name and part.running.process and part.running.process.poll() is None:
                part.running.process.send_signal(number)

    def drain(self) -> None:
        """Ends commands together, letting them finish (`grace` seconds), then servers, the last started first."""
        commands = [part for part in self._parts if isinstance(part.running, Command)]
        for part in commands:
            if part.running.process:
                with contextlib.suppress(ProcessLookupError):
                    part.running.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + self.grace
        for part in commands:
            self._await(part, until)
        for part in reversed(self._parts):
            if part not in commands:
                part.running.stop()

    def kill(self) -> None:
        """Ends everything at once. Postgres recovers from its log, Temporal from its file."""
        for part in reversed(self._parts):
            if part.running.process:
                processes.kill(part.running.process)

    def _await(self, part: _Part, until: float) -> None:
        if part.running.process is None:
            return
        try:
            part.running.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.report(
                part.name,
                f"did not finish within {self.grace:.0f} s and was killed; its work is taken up again",
            )
        # The group too: a command may have started processes of its own.
        processes.kill(part.running.process)

    def _restart(self, part: _Part) -> None:
        try:
            part.running = part.start()
        except (StackError, OSError) as error:
            part.deaths += 1
            self._pause(part, f"did not start: {error}")
            return
        part.since, part.due = time.monotonic(), None
        self._remember()
        self.report(part.name, "runs again")

    def _pause(self, part: _Part, how: str) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (part.deaths - 1))
        part.due = time.monotonic() + pause
        self.report(part.name, f"{how}; starting it again in {pause:g} s")

    def _remember(self) -> None:
        try:
            home.remember(
                self.home, (part.running.process.pid for part in self._parts if part.running.process)
            )
        except OSError as error:
            self.report("stack", f"cannot write {error.filename}: {error.strerror}")


def _how_it_ended(running: Running) -> str | None:
    """None while it runs; one that we found running, and did not start, is not ours to watch."""
    code = running.process.poll() if running.process else None
    if code is None:
        return None
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
