"""The command itself: its help, the configuration it reads, and what it hands on."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from settings import Settings

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
