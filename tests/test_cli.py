"""The command itself: its help, the configuration it reads, and what it hands on."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from settings import Settings
from tests.architecture.tree import ROOT

COMMANDS = [
    ("api",),
    ("query",),
    ("worker",),
    ("migrate",),
    ("doctor",),
    ("activities",),
    ("failures",),
    ("gaps",),
    ("ledger", "search"),
    ("ledger", "verify"),
    ("ledger", "prove"),
    ("ledger", "checkpoint"),
    ("ledger", "seal"),
    ("config", "check"),
    ("import",),
    ("redrive",),
    ("skip",),
    ("pause",),
    ("resume",),
    ("brake", "release"),
    ("key", "new"),
    ("key", "list"),
    ("key", "revoke"),
    ("reconcile",),
    ("token",),
    ("dev",),
    ("simulate",),
    ("new", "activity"),
]


@pytest.fixture
def runner(settings: Settings, tmp_path: Path) -> CliRunner:
    """Runs commands with the test's configuration and a wide terminal."""
    configured = {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml"), "COLUMNS": "120"}
    return CliRunner(env=configured)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(runner: CliRunner, command: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*command, "--help"])

    assert result.exit_code == 0, result.output
    assert "Usage:" in result.stdout
    assert len(result.stdout.splitlines()) > 5


def test_the_overview_names_every_command(runner: CliRunner) -> None:
    shown = runner.invoke(app, ["--help"]).stdout

    assert all(f"│ {command[0]} " in shown for command in COMMANDS)


def test_every_command_stands_in_a_panel(runner: CliRunner) -> None:
    """One without would be under this heading."""
    assert "─ Commands ─" not in runner.invoke(app, ["--help"]).stdout


def test_a_good_configuration_is_ok(runner: CliRunner) -> None:
    result = runner.invoke(app, ["config", "check"])

    assert (result.exit_code, result.stdout) == (0, "ok: tenants as100\n")


@pytest.mark.parametrize("command", ["config check", "doctor", "failures", "token", "worker"])
def test_a_mistake_is_named_with_its_line(runner: CliRunner, tmp_path: Path, command: str) -> None:
    path = tmp_path / "hookledger.toml"
    path.write_text(path.read_text() + '[api]\nprefix = "hooks/"\n')

    result = runner.invoke(app, command.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{path}:{len(path.read_text().splitlines())}: api.prefix: must be")


def test_half_a_certificate_is_refused(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["api", "--certificate", str(tmp_path / "hookledger.toml")])

    assert result.exit_code == 2
    assert "give both" in result.stderr


def test_a_token_of_no_tenant_is_refused(runner: CliRunner) -> None:
    result = runner.invoke(app, ["token", "--tenant", "as101"])

    assert result.exit_code == 2
    assert "configured are as100" in result.stderr


def test_simulate_hands_its_options_on(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["simulate", "--users", "1", "--secret-file", str(tmp_path / "none")])

    assert result.exit_code == 2
    assert "no secret can be read" in result.stderr


def test_a_command_that_spoke_to_temporal_leaves_before_the_interpreter_ends() -> None:
    """Its SDK can abort there, and a deed that was done would end with the wrong exit code."""
    script = (
        "import atexit, runpy, sys, temporalio.client\n"
        "atexit.register(print, 'the interpreter ended')\n"
        "sys.argv = ['hookledger', '--help']\n"
        "runpy.run_path('cli.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout
    assert "the interpreter ended" not in done.stdout
