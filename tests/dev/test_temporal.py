"""Temporal's start when the machine is in its way."""

import os
from pathlib import Path

import pytest

from dev import processes, temporal


def crashing(directory: Path, times: int) -> Path:
    """Temporal's command line, which panics at its first `times` starts as it does when a port of its own is taken."""
    command, count = directory / "crashing", directory / "starts"
    command.write_text(
        f"""#!/bin/sh
case "$*" in *start-dev*)
  echo . >> {count}
  if [ $(wc -l < {count}) -le {times} ]; then
    for option in "$@"; do case "$option" in *.db) echo half a schema > "$option";; esac; done
    printf 'panic: bind: address already in use\\n\\ngoroutine 1 [running]:\\nmain.main()\\n\\tcli.go:18 +0x8e\\n' >&2
    exit 2
  fi
esac
exec {temporal.binary()} "$@"
"""
    )
    command.chmod(0o755)
    return command


def test_a_crash_while_it_starts_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = crashing(tmp_path, times=2)
    monkeypatch.setattr(temporal, "binary", lambda: str(command))
    with temporal.start(tmp_path, search_attributes={"Colour": "Keyword"}) as server:
        assert os.getpriority(os.PRIO_PROCESS, server.process.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        assert server.process.poll() is None
    assert (tmp_path / "starts").read_text().count(".") == 3


def test_a_crash_that_stays_is_told_with_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = crashing(tmp_path, times=9)
    monkeypatch.setattr(temporal, "binary", lambda: str(command))
    with pytest.raises(processes.StackError, match="panic: bind: address already in use"):
        temporal.start(tmp_path, search_attributes={})
    assert (tmp_path / "starts").read_text().count(".") == 3
