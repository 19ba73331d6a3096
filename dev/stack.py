"""The command `./hookledger dev`: Postgres, Temporal with its UI, api and worker on this machine, until Ctrl-C."""

import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import httpx

import settings as configuration
from dev import certificate, cluster, home, postgres, processes, screen, temporal
from dev.processes import StackError
from dev.relay import Relay
from dev.screen import Ready, Screen
from dev.supervisor import Command, Supervisor
from runtime.attributes import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parent.parent
_POSTGRES_PORT = 5499
_READY_WITHIN = 60.0
_FORCED_AFTER = 0.5
"""A second Ctrl-C sooner than this is the same one, come twice: to us and through make."""

_BODY = '{"request":{"user":{"login":"asha.example","firstName":"Asha","lastName":"Example","userType":"Employee"}}}'


@dataclass(frozen=True)
class Options:
    """What `./hookledger dev` was asked for."""

    port: int = 8080
    ui_port: int = 8233
    temporal_port: int = 7233
    json_logs: bool = False
    tls: bool = False
    root: Path = ROOT
    command: tuple[str, ...] = (sys.executable, str(ROOT / "cli.py"))
    """Runs `./hookledger`'s commands; a test gives its own."""


@dataclass
class _Stop:
    """Counts Ctrl-C and SIGTERM; the second one interrupts whatever is under way."""

    asked: float | None = field(default=None)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = time.monotonic()
        elif time.monotonic() - self.asked > _FORCED_AFTER:
            raise KeyboardInterrupt


class _StoppedError(Exception):
    """Asked to stop while starting."""


def run(options: Options) -> int:
    """Runs until Ctrl-C or SIGTERM. Exit code: 0 drained, 2 could not start (said why), 130 forced to end."""
    began = time.monotonic()
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    show = Screen(as_json=options.json_logs)
    directory = options.root / ".hookledger"
    supervisor = Supervisor(directory, show.report)
    try:
        with home.occupied(directory):
            return _Stack(options, directory, show, supervisor, stop).run(began)
    except StackError as error:
        show.fail(str(error))
        return 2
    except KeyboardInterrupt:
        supervisor.kill()
        show.say("stopped at once; the next start recovers the data")
        return 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
