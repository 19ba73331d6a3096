"""What processes hold in memory stays there: no core dump, nobody of the same user who reads it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from runtime import closed

ROOT = Path(__file__).parents[2]
_CRASHES = "from runtime.closed import close_memory; import os; {closes}; os.abort()"
_READ_BY_A_NEIGHBOUR = """
import ctypes, os
from runtime.closed import close_memory
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # a change of the user has closed it, too
{closes}
child = os.fork()
if child == 0:
    try:
        open(f"/proc/{{os.getppid()}}/mem", "rb").close()
        print("read", flush=True)
    except PermissionError:
        print("refused", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
_CLOSES = "close_memory()"


def _run(code: str, where: Path) -> subprocess.CompletedProcess[str]:
    def may_dump() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=may_dump,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    ended = _run(_CRASHES.format(closes=_CLOSES), tmp_path)
    assert ended.returncode == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("closes", "outcome"), [(_CLOSES, "refused"), ("", "read")])
def test_a_neighbour_of_the_same_user_cannot_read_its_memory(
    tmp_path: Path, closes: str, outcome: str
) -> None:
    """The second row shows that the first would see it."""
    ended = _run(_READ_BY_A_NEIGHBOUR.format(closes=closes), tmp_path)
    assert ended.stdout.split() == [outcome], ended.stderr


@pytest.mark.parametrize("command", ["api", "query", "worker"])
def test_each_process_closes_itself_before_it_reads_a_secret(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(Exception):
        pass

    def close() -> None:
        raise Closed

    def read() -> None:
        raise AssertionError("the configuration was read first")

    monkeypatch.setattr(closed, "close_memory", close)
    monkeypatch.setattr("runtime.giving_way.give_way", lambda: None)  # it would be for this process as well
    monkeypatch.setattr("cli.load", read)
    assert isinstance(CliRunner().invoke(app, [command]).exception, Closed)
