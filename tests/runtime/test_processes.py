"""What a process does with signals, its log and its end, seen from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

_WAITS = """
import asyncio
from runtime.shutdown import leave, stop_event

async def main():
    stop = stop_event()
    print("ready", flush=True)
    await stop.wait()
    print("draining", flush=True)
    await asyncio.sleep({drain})

asyncio.run(main())
print("unflushed")
leave(7)
"""
_LOGS = """
import logging
from runtime.logs import start_logging

start_logging()
log = logging.getLogger("runtime.test")
log.info("stored %d ü", 3)
for noisy in ("httpx", "temporalio", "sqlalchemy.engine"):
    logging.getLogger(noisy).info("a request")
try:
    raise ValueError("private.person@example.com")
except ValueError:
    log.exception("it went wrong")
"""


@contextmanager
def _process(code: str, **env: str) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | env,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _says(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains(number: signal.Signals) -> None:
    with _process(_WAITS.format(drain=0)) as process:
        _says(process, "ready")
        process.send_signal(number)
        _says(process, "draining")
        _says(process, "unflushed")
        assert process.wait(10) == 7


def test_the_second_signal_ends_it() -> None:
    with _process(_WAITS.format(drain=60)) as process:
        _says(process, "ready")
        process.send_signal(signal.SIGTERM)
        _says(process, "draining")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130


def test_logs_for_a_collector_are_json_without_error_texts() -> None:
    with _process(_LOGS, HOOKLEDGER_LOGS="json") as process:
        out, err = process.communicate(timeout=10)
    assert out == ""
    first, second = (json.loads(line) for line in err.splitlines())
    assert (first["level"], first["from"], first["message"]) == ("info", "runtime.test", "stored 3 ü")
    assert first["at"].endswith("+00:00")
    assert (second["level"], second["message"], second["error"]) == ("error", "it went wrong", "ValueError")
    assert "private.person" not in err


def test_logs_for_a_person_are_lines() -> None:
    with _process(_LOGS, HOOKLEDGER_LOGS="") as process:
        _, err = process.communicate(timeout=10)
    assert "INFO    runtime.test: stored 3 ü" in err.splitlines()[0]
    assert "a request" not in err
