"""Waiting for the apis of a chaos run."""

from pathlib import Path
from typing import Any, cast

import pytest

from chaos.stack import ChaosError, Stack
from dev.processes import free_port


class _Lives:
    def poll(self) -> None:
        """Of subprocess.Popen: it has not ended."""


def _stack(tmp_path: Path, **running: _Lives) -> Stack:
    nothing: Any = None
    ports = {name: free_port() for name in ("api1", "api2")}
    return Stack(tmp_path, nothing, nothing, nothing, nothing, ports, {}, "", running=cast("Any", running))


def test_an_api_that_is_down_for_a_moment_is_not_waited_for(tmp_path: Path) -> None:
    """Temporal comes back between the end of an api and its start: who starts it would wait for it."""
    _stack(tmp_path).wait_until_taking(within=0.5)


def test_one_that_runs_and_does_not_listen_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ChaosError, match="does not listen"):
        _stack(tmp_path, api1=_Lives()).wait_until_taking(within=0.3)
