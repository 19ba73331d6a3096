"""A file that one process is given keeps no other from starting, and is told of all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import settings as configuration
from settings.lacking import lacking
from settings.mistakes import dotted
from settings.references import Missing
from tests.settings.test_settings import GOOD, SENTINEL

ROOT = Path(__file__).parents[2]
_FOR_ONE = """
[api.tls]
certificate = "$CREDENTIALS_DIRECTORY/tls.pem"
key = "$CREDENTIALS_DIRECTORY/tls.key"
client_ca = "ca.pem"
[query.tls]
certificate = "query.pem"
key = "query.pem"
[activities.mail]
host = "smtp"
password = { file = "smtp.password" }
deep = [{ token = { env = "TEST_TOKEN_OF_MAIL" } }]
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_STORE_URL", "postgresql://127.0.0.1/x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    (tmp_path / "given").mkdir()
    for name in ("fingerprint.key", "one.key"):
        (tmp_path / name).write_text(name * 8)
    path = tmp_path / "hookledger.toml"
    path.write_text(GOOD + _FOR_ONE)
    return path


def _lacks(path: Path) -> set[tuple[str, str]]:
    return {(lack.process, dotted(lack.mistake[0])) for lack in lacking(configuration.load(path))}


def test_nothing_that_one_process_needs_keeps_another_from_starting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _lacks(path) == {
        ("api", "api.tls.certificate"),
        ("api", "api.tls.key"),
        ("api", "api.tls.client_ca"),
        ("query", "query.tls.certificate"),
        ("query", "query.tls.key"),
        ("worker", "activities.mail.password"),
        ("worker", "activities.mail.deep[0].token"),
    }
    for name in ("given/tls.pem", "given/tls.key", "ca.pem", "query.pem", "smtp.password"):
        (path.parent / name).write_text(SENTINEL)
    monkeypatch.setenv("TEST_TOKEN_OF_MAIL", SENTINEL)

    settings = configuration.load(path)

    assert list(lacking(settings)) == []
    assert settings.activities["mail"] == {
        "host": "smtp", "password": SENTINEL, "deep": [{"token": SENTINEL}]
    }  # fmt: skip
    assert settings.api.tls is not None
    assert settings.api.tls.key == path.parent / "given" / "tls.key"


def test_what_stands_for_a_secret_says_why_it_is_not_there(path: Path) -> None:
    (path.parent / "smtp.password").write_text("")

    mail = configuration.load(path).activities["mail"]

    assert mail["password"] == Missing(f"{path.parent / 'smtp.password'} is empty")
    assert mail["host"] == "smtp"


def _run(path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOOKLEDGER_CONFIG": str(path)}
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_worker_does_not_start_without_what_its_activities_need(path: Path) -> None:
    done = _run(path, "worker")

    assert done.returncode == 2
    assert f"activities.mail.password: cannot read {path.parent / 'smtp.password'}" in done.stderr
    assert "activities.mail.deep[0].token: environment variable TEST_TOKEN_OF_MAIL is not set" in done.stderr
    assert f"{path}:{len(path.read_text().splitlines()) - 1}: " in done.stderr
    assert "tls" not in done.stderr


@pytest.mark.parametrize("process", ["api", "query"])
def test_who_listens_does_not_start_without_its_certificate(path: Path, process: str) -> None:
    done = _run(path, process)

    assert done.returncode == 2
    assert "cannot be used (No such file or directory)" in done.stderr
    assert "activities" not in done.stderr


def test_the_check_warns_of_what_each_process_would_lack(path: Path) -> None:
    done = _run(path, "config", "check")

    assert done.returncode == 0
    assert done.stdout.startswith("ok: tenants as100")
    assert len(done.stderr.splitlines()) == 7
    assert f"api.tls.key: cannot read {path.parent / 'given' / 'tls.key'}: " in done.stderr
    assert done.stderr.count("(only worker needs it)") == 2
