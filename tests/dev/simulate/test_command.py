"""The command's options, exit codes, closing table and JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dev.simulate.command import simulate
from tests.dev.simulate.receiver import SECRET, Receiver, only, serving

app = typer.Typer()
app.command()(simulate)


def run(tmp_path: Path, *arguments: str) -> Result:
    secret = tmp_path / "webhook.key"
    secret.write_text(SECRET + "\n")
    return CliRunner().invoke(app, ["--secret-file", str(secret), *arguments], env={"COLUMNS": "120"})


def test_a_clean_run_ends_with_a_table_and_0(tmp_path: Path) -> None:
    with serving(Receiver()) as url:
        result = run(tmp_path, "--url", url, "--users", "3", "--seed", "5")
    assert result.exit_code == 0
    assert "seed 5: 3 users against http://127.0.0.1" in result.stderr
    assert "validateUser" in result.stdout
    assert "seed 5; 3 users;" in result.stdout
    assert result.stdout.endswith("Every answer kept to the contract.\n")


def test_a_breach_ends_with_1_and_shows_no_personal_data(tmp_path: Path) -> None:
    wrong = only(
        "preupdateuser", lambda reply: replace(reply, body={"response": {"data": {"x": "user0.s5"}}})
    )
    with serving(Receiver(wrong)) as url:
        result = run(tmp_path, "--url", url, "--users", "2", "--seed", "5")
    assert result.exit_code == 1
    assert "user.assignedGroups: missing" in result.stdout
    assert "user0" not in result.output


def test_json_is_one_object(tmp_path: Path) -> None:
    with serving(Receiver()) as url:
        result = run(tmp_path, "--url", url, "--users", "2", "--stories", "mover", "--json")
    report = json.loads(result.stdout)
    assert report["clean"] is True
    assert report["hooks"] == report["answered"] == 9
    assert result.stderr == ""


def test_the_secret_may_come_from_the_environment_as_base64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SECRET", "ZmFrZS1zZWNyZXQtb2YtYS10ZXN0LTAxMjM0NTY3ODlhYmNkZWY=")
    with serving(Receiver()) as url:
        arguments = ("--url", url, "--users", "1", "--stories", "mover", "--secret-env", "FAKE_SECRET")
        assert run(tmp_path, *arguments, "--secret-encoding", "base64").exit_code == 0
        refused = run(tmp_path, *arguments)
    assert refused.exit_code == 2
    assert "refuses our token" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--users", "0"), "--users: must be 1 to"),
        (("--url", "ftp://x"), "--url: must be like"),
        (("--stories", "retiree"), "--stories: must name some of joiner"),
        (("--duplicates", "2"), "--duplicates: must be a rate"),
        (("--tempo", "nan"), "--tempo: must be"),
        (("--tempo", "2", "--tempo-max", "1"), "--tempo-max: must not be below"),
        (("--secret-env", "NO_SUCH_VARIABLE"), "the environment has no NO_SUCH_VARIABLE"),
        (("--secret-encoding", "base64"), "the secret is not base64"),
        (("--secret-file", "missing.key"), "no secret can be read from missing.key"),
        (("--record", "missing/record.jsonl"), "missing/record.jsonl: No such file"),
        (("--ca", "missing.pem", "--url", "https://127.0.0.1:9/"), "No such file"),
        (("--answer-shape", "soap"), "--answer-shape: must be data"),
        (("--url", "http://127.0.0.1:9/webhook"), "no receiver at"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert SECRET not in result.output
