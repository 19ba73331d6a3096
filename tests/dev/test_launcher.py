"""`./hookledger` and the environment it needs: from any directory, and before there is one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.stack import ROOT

_PYTHON = """#!/bin/sh
echo "$@"
echo "config=${HOOKLEDGER_CONFIG:-} database=${HOOKLEDGER_DATABASE_URL:-} owner=${HOOKLEDGER_OWNER_URL:-}"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "a clone"
    clone.mkdir()
    shutil.copy(ROOT / "hookledger", clone)
    (clone / "hookledger.toml").touch()
    return clone


@pytest.fixture
def installed(clone: Path) -> Path:
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_PYTHON, encoding="ascii")
    python.chmod(0o755)
    return clone


def _run(clone: Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(clone / "hookledger"), *arguments]
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_without_an_environment_it_says_what_to_do(clone: Path, tmp_path: Path) -> None:
    done = _run(clone, "token", cwd=tmp_path)
    assert done.returncode == 2
    assert "run make" in done.stderr


def test_it_runs_from_any_directory(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, "token", "--life", "60", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"{installed}/cli.py token --life 60",
        f"config={installed}/hookledger.toml database= owner=",
    ]


def test_it_runs_through_a_link(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "hookledger").symlink_to(installed / "hookledger")
    assert _run(tmp_path, "token", cwd=tmp_path).stdout.startswith(f"{installed}/cli.py token\n")


def test_a_configuration_that_is_named_or_here_goes_first(installed: Path, tmp_path: Path) -> None:
    named = _run(installed, "token", cwd=tmp_path, HOOKLEDGER_CONFIG="other.toml")
    assert "config=other.toml " in named.stdout
    assert "config= " in _run(installed, "token", cwd=installed).stdout


def test_it_knows_the_stack_that_runs_here_unless_a_store_is_named(installed: Path, tmp_path: Path) -> None:
    (installed / ".hookledger").mkdir()
    (installed / ".hookledger" / "env").write_text(
        "HOOKLEDGER_DATABASE_URL=postgresql://here\nHOOKLEDGER_OWNER_URL='postgresql://owner'\n",
        encoding="ascii",
    )
    here = _run(installed, "token", cwd=tmp_path).stdout
    assert "database=postgresql://here owner=postgresql://owner" in here
    elsewhere = _run(
        installed, "token", cwd=tmp_path, HOOKLEDGER_DATABASE_URL="postgresql://elsewhere"
    ).stdout
    assert "database=postgresql://elsewhere owner=\n" in elsewhere


@pytest.mark.parametrize(
    ("python", "says"),
    [("no-such-python", "no-such-python is not there"), ("old-python", "Python 3.9.1 is too old")],
)
def test_an_unfit_python_is_said(tmp_path: Path, python: str, says: str) -> None:
    old = tmp_path / "old-python"
    old.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n', encoding="ascii"
    )
    old.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "dev" / "environment.sh")],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / ".venv").exists()
