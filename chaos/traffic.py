"""The platform: the simulator as a process, run after run, until so many hooks were sent and nothing breaks any more."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.stack import ROOT, TENANT, ChaosError, Stack
from dev import processes

_CONCURRENCY = 8
_USERS = 400
"""People of one run of the simulator; the next one tells of others."""
_DUPLICATES = 0.01


@dataclass
class Traffic:
    """Hooks at about `rate` per second. The record of each run of the simulator is a file."""

    stack: Stack
    seed: int
    rate: float
    records: list[Path] = field(default_factory=list[Path])
    broken: int = 0
    """Runs that found the contract broken, also where no single answer shows it: two rivals for one mobile both passed."""
    _process: subprocess.Popen[bytes] | None = None

    def keep_going(self) -> None:
        """Begins the next run if the last one is over. Raises ChaosError if it ended badly."""
        if self._process is None or self._process.poll() is not None:
            self._check()
            self._process = self._begin()

    def sent(self) -> int:
        """Hooks sent so far."""
        return sum(1 for record in self.records for _ in record.open("rb"))

    def end(self) -> None:
        """Ends the run under way: what was sent by then is in its record."""
        if self._process is not None and self._process.poll() is None:
            processes.end(self._process, grace=15)
        else:
            self._check()

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every hook sent, in order; the last line of a run that was ended may be torn."""
        for record in self.records:
            for line in record.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    def _begin(self) -> subprocess.Popen[bytes]:
        record = self.stack.home / f"sent-{len(self.records)}.jsonl"
        record.touch()
        command = [
            *(sys.executable, "-m", "dev.simulate", "--url", self.stack.url, "--secret-env", "CHAOS_SECRET"),
            *("--tenant", TENANT, "--users", str(_USERS), "--seed", str(self.seed + len(self.records))),
            *("--concurrency", str(_CONCURRENCY), "--tempo", f"{_CONCURRENCY / self.rate:.3f}"),
            *("--duplicates", str(_DUPLICATES), "--keep-trying", "--deadline", "0", "--record", str(record)),
            "--json",
        ]
        self.records.append(record)
        log = self.stack.home / "logs" / "simulator.log"
        return processes.spawn(command, log=log, env=self.stack.environment, cwd=ROOT)

    def _check(self) -> None:
        """Exit code 1 tells of answers that broke the contract; 2 that the simulator could not play."""
        if self._process is None:
            return
        self.broken += self._process.returncode == 1
        if self._process.returncode not in (0, 1):
            log = self.stack.home / "logs" / "simulator.log"
            raise ChaosError(f"the simulator ended by itself; the end of {log}:\n{processes.tail(log, 8)}")


def wait(seconds: float, traffic: Traffic) -> None:
    """Waits, and keeps the traffic going meanwhile."""
    until = time.monotonic() + seconds
    while True:
        traffic.keep_going()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.5))
