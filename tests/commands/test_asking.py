"""The auditors' questions as commands: one for each, the same options, table, JSON lines and CSV, with a report."""

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest

from ledger.engine import Pool
from ledger.questions import questions
from ledger.receive import receive
from settings import Settings
from tests.commands.conftest import Run
from tests.support import delivery

GIVEN = {"person": "asha", "application": "hr", "on": "2026-11-25", "period": "2026Q4"}


@pytest.fixture
async def asha(pool: Pool) -> str:
    """Somebody of whom five deliveries came, with what a spreadsheet and a terminal would take for their own."""
    for _ in range(5):
        await receive(pool, delivery("asha", application='=cmd("x")', actor="a\x1b[31m"))
    return "asha"


def _asked(name: str) -> list[str]:
    fields = questions()[name].parameters.model_fields
    return [part for key, value in GIVEN.items() if key in fields for part in (f"--{key}", value)]


@pytest.mark.parametrize("name", questions())
async def test_every_question_is_a_command(run: Run, asha: str, name: str) -> None:
    question = questions()[name]
    shown = await run("ledger", name, *_asked(name))
    assert shown.exit_code == 0, shown.output
    assert question.title in shown.stdout
    assert "SHA-256 of the rows" in shown.stdout
    assert "\x1b" not in shown.stdout
    lines = await run("ledger", name, *_asked(name), "--json")
    assert lines.exit_code == 0, lines.output
    digest = hashlib.sha256(lines.stdout.encode()).hexdigest()
    assert digest in lines.stderr
    told = await run("ledger", name, *_asked(name), "--csv")
    head, *rest = csv.reader(io.StringIO(told.stdout))
    assert head == [column.name for column in question.columns]
    assert all(len(row) == len(head) for row in rest)
    help_ = (await run("ledger", name, "--help")).stdout
    assert all(f"--{field}" in help_ for field in question.parameters.model_fields)
    assert asha


async def test_the_list_shows_them_all(run: Run) -> None:
    shown = (await run("ledger", "--help")).stdout
    assert all(f" {question.name} " in shown for question in questions().values())


async def test_pages_go_on_by_their_token(run: Run, asha: str) -> None:
    first = await run("ledger", "person", "--person", asha, "--limit", "3")
    [more] = [line for line in first.stdout.splitlines() if line.startswith("there are more: ")]
    token = more.split()[-1]
    second = await run("ledger", "person", "--person", asha, "--limit", "2", "--after", token, "--json")
    assert [json.loads(line)["seq"] for line in second.stdout.splitlines()] == [4, 5]
    assert "there are more: --after " in second.stderr  # the first page's own reading
    other = await run("ledger", "accesses", "--after", token)
    assert (other.exit_code, other.stderr) == (2, "--after: that token is not of this question with these parameters: begin without it\n")  # fmt: skip


async def test_a_report_says_what_was_asked_and_proves_the_rows(run: Run, asha: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    lines = await run("ledger", "person", "--person", asha, "--json", "--report", str(file))
    report = json.loads(file.read_text())
    assert report["question"] == "person"
    assert report["parameters"] == {"tenant": "as100", "person": "asha"}
    assert report["rows"] == len(lines.stdout.splitlines()) == 6  # with the entry of this reading's begin
    assert report["sha256"] == hashlib.sha256(lines.stdout.encode()).hexdigest()
    [found] = [
        json.loads(line)
        for line in (await run("ledger", "accesses", "--json")).stdout.splitlines()
        if json.loads(line)["outcome"] == "read"
    ]
    assert (found["receipt"], found["rows"], found["sha256"]) == (report["receipt"], 6, report["sha256"])
    assert found["actor"].startswith("os:")


async def test_csv_runs_nothing(run: Run, asha: str) -> None:
    told = await run("ledger", "person", "--person", asha, "--csv")
    [row, *_] = csv.DictReader(io.StringIO(told.stdout))
    assert row["application"] == '\'=cmd("x")'


async def test_nobody_so_called_is_said(run: Run) -> None:
    assert "nobody was ever called so in as100" in (await run("ledger", "person", "--person", "zed")).stdout


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["who-had", "--application", "hr", "--on", "soon"], "--on: "),
        (["totals", "--since", "lately"], "--since: a time is"),
        (["totals", "--tenant", "as200"], "no tenant as200; configured are as100"),
        (["joiners-movers-leavers", "--period", "2026Q5"], "--period: "),
        (["decisions", "--kind", "odd"], "--kind: "),
        (["leavers-with-access", "--hours", "-1"], "--hours: "),
        (["totals", "--json", "--csv"], "--json and --csv: give one of them"),
    ],
)
async def test_mistakes_are_named_by_option(run: Run, arguments: list[str], words: str) -> None:
    wrong = await run("ledger", *arguments)
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith(words), wrong.stderr
    assert "soon" not in wrong.stderr


async def test_two_tenants_must_be_told_apart(run: Run, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "hookledger.toml"
    path.write_text(path.read_text() + """
[tenants.as200.token]
keys = [{ secret = { env = "NOT_THERE" } }]
[tenants.as200.deprovision]
answer = "never"
""")  # fmt: skip
    assert settings
    (tmp_path / "other.key").write_text("k" * 64)
    path.write_text(path.read_text().replace('{ env = "NOT_THERE" }', '{ file = "other.key" }'))
    wrong = await run("ledger", "totals")
    assert (wrong.exit_code, wrong.stderr) == (2, "--tenant: name one of as100, as200\n")
    assert (await run("ledger", "totals", "--tenant", "as200")).exit_code == 0
