"""Giving way must reach across sessions: our processes each have one of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from dev import processes
from runtime import closed, giving_way

_ROOT = Path(__file__).resolve().parents[2]
_SLEEPS = [sys.executable, "-c", "import time; time.sleep(30)"]
_GIVES_WAY = """
import os
from runtime.giving_way import give_way
give_way()
print(os.nice(0), open("/proc/self/autogroup").read().split()[-1])
"""
_GIVES_WAY_AS_NOBODY = """
import ctypes, os
from runtime.closed import close_memory
from runtime.giving_way import give_way
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # a change of the user has closed it
{first}()
{then}()
print(open("/proc/self/autogroup").read().split()[-1])
"""
needs_autogroups = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session"
)


@needs_autogroups
def test_a_child_that_gives_way_does_so_with_its_session(tmp_path: Path) -> None:
    child = processes.spawn(_SLEEPS, log=tmp_path / "log", env=dict(os.environ), gives_way=True)
    try:
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5
        assert _niceness(child.pid) == 5
    finally:
        processes.kill(child)


@needs_autogroups
def test_a_child_that_does_not_leaves_its_session_as_it_was(tmp_path: Path) -> None:
    child = processes.spawn(_SLEEPS, log=tmp_path / "log", env=dict(os.environ))
    try:
        assert _niceness(child.pid) == 0
    finally:
        processes.kill(child)


@needs_autogroups
@pytest.mark.parametrize("leads", [True, False])
def test_only_who_leads_a_session_changes_it(leads: bool) -> None:
    """An api started from the same shell would be slowed with it."""
    command = [sys.executable, "-c", _GIVES_WAY]
    # A session of its own either way: one from before the machine's first setsid(2) has no group at all.
    started = command if leads else ["sh", "-c", '"$@"; exit $?', "leader", *command]
    done = subprocess.run(
        started, cwd=_ROOT, capture_output=True, text=True, check=True, start_new_session=True
    )
    own, session = map(int, done.stdout.split())
    assert own == os.getpriority(os.PRIO_PROCESS, 0) + 5
    assert session == (5 if leads else 0)


@needs_autogroups
@pytest.mark.parametrize(
    ("first", "then", "session"), [("give_way", "close_memory", 5), ("close_memory", "give_way", 0)]
)
def test_it_goes_before_the_process_is_closed(first: str, then: str, session: int) -> None:
    """The second row shows why: without root, a closed process does not even change itself."""
    command = [sys.executable, "-c", _GIVES_WAY_AS_NOBODY.format(first=first, then=then)]
    done = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=True, start_new_session=True
    )
    assert int(done.stdout) == session


@pytest.mark.parametrize("command", ["query", "worker"])
def test_query_and_worker_give_way_before_they_are_closed(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def close() -> None:
        called.append("close")
        raise KeyboardInterrupt

    monkeypatch.setattr(giving_way, "give_way", lambda: called.append("give way"))
    monkeypatch.setattr(closed, "close_memory", close)
    CliRunner().invoke(app, [command])
    assert called == ["give way", "close"]


@pytest.fixture
def as_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is taken for one that leads its session, and keeps its own niceness."""

    def own(_: int) -> int:
        return os.getpid()

    monkeypatch.setattr("os.nice", abs)
    monkeypatch.setattr("os.getsid", own)


@pytest.mark.usefixtures("as_leader")
def test_it_is_tried_again_when_the_kernel_took_another_one_just_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "autogroup").touch()
    tries: list[bytes] = []
    rests: list[float] = []

    def write(_: int, text: bytes) -> int:
        tries.append(text)
        if len(tries) < 3:
            raise BlockingIOError
        return len(text)

    monkeypatch.setattr(giving_way, "_OWN_SESSION", str(tmp_path / "autogroup"))
    monkeypatch.setattr("os.write", write)
    monkeypatch.setattr("time.sleep", rests.append)
    giving_way.give_way()
    assert (tries, rests) == ([b"5"] * 3, [0.1] * 2)


@pytest.mark.usefixtures("as_leader")
def test_a_kernel_that_groups_nothing_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(giving_way, "_OWN_SESSION", str(tmp_path / "missing" / "autogroup"))
    giving_way.give_way()


def _niceness(pid: int) -> int:
    """Of the session's group: its file says `/autogroup-17 nice 5`."""
    return int(Path(f"/proc/{pid}/autogroup").read_text("ascii").split()[-1])
