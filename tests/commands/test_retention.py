"""Retention as operators see it: what is kept, a rehearsal, a round by hand, what verify and the questions say then."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from commands.doctor.retention import check, look_at_months
from ledger.retention import Part
from settings import ConfigError, Settings
from tests.conftest import TEMPLATE
from tests.ledger.months import OLD, OLDER, give_past, receive_in
from tests.ledger.sealing import Ledger, database
from tests.support import Servers, write_configuration

SEAL = """
[ledger.seal]
origin = "example.com/test"
keys = [{ name = "first", secret = { file = "seal.key" } }]
"""
KEEP = """
[ledger.retention]
bodies = "366d"
work = "366d"
entries = "800d"
"""


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """Three entries of each of two old months."""
    async with database(servers, TEMPLATE, short_ids=False) as ledger:
        await give_past(ledger)
        await receive_in(ledger, OLDER, "a", "b", "a")
        await receive_in(ledger, OLD, "a", "b", "c")
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """Bodies are kept a year, everything else a good two."""
    (tmp_path / "seal.key").write_text("BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ")
    return write_configuration(tmp_path, ledger.store, SEAL + KEEP)


async def invoke(place: Path, *command: str) -> Result:
    """In a thread: a command runs a loop of its own."""
    runner = CliRunner(env={"HOOKLEDGER_CONFIG": str(place / "hookledger.toml"), "COLUMNS": "140"})
    return await asyncio.to_thread(runner.invoke, app, ["ledger", *command])


async def test_from_looking_to_a_round_and_what_is_said_then(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    shown = await invoke(tmp_path, "retention")
    assert shown.exit_code == 0
    assert "nothing has been dropped yet" in shown.stdout
    rehearsed = json.loads((await invoke(tmp_path, "retention", "--dry-run", "--json")).stdout)
    would = {(s["class_"], s["month"]): s["dropped"] for s in rehearsed["steps"]}
    assert would["bodies", "2024-02"] == {"bodies": 3}
    assert would["entries", "2024-03"] == {"deliveries": 3, "bodies": 3, "entries": 3}
    assert await ledger.root.fetchval("SELECT count(*) FROM bodies") == 6

    early = await invoke(tmp_path, "retention", "--now")
    assert early.exit_code == 1, early.output
    assert "entries of the month are not sealed" in early.stdout
    assert await ledger.root.fetchval("SELECT count(*) FROM entries WHERE outcome = 'received'") == 6
    await invoke(tmp_path, "seal")
    done = json.loads((await invoke(tmp_path, "retention", "--now", "--json")).stdout)
    assert (done["clean"], len(done["steps"])) == (True, 2)
    assert await ledger.root.fetchval("SELECT count(*) FROM entries WHERE outcome = 'received'") == 0
    await invoke(tmp_path, "seal")

    verified = await invoke(tmp_path, "verify")
    assert (verified.exit_code, "6 more were dropped by retention" in verified.stdout) == (0, True), (
        verified.output
    )
    proof = await invoke(tmp_path, "prove", "2024030000000004")
    assert (proof.exit_code, "dropped by retention" in proof.stderr) == (0, True)
    told = json.loads((await invoke(tmp_path, "retention", "--json")).stdout)
    assert [(d["detail"]["class"], d["detail"]["month"]) for d in told["deeds"]] == [
        ("entries", "2024-03"),
        ("entries", "2024-02"),
        ("bodies", "2024-03"),
        ("bodies", "2024-02"),
    ]
    assert "What went" in (await invoke(tmp_path, "retention")).stdout
    assert "nothing is over age" in (await invoke(tmp_path, "retention", "--now")).stdout


async def test_totals_of_a_span_that_was_dropped_say_so(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    await invoke(tmp_path, "seal")
    await invoke(tmp_path, "retention", "--now")

    back = await invoke(tmp_path, "totals")
    assert "entries from before 2024-04-01 were dropped by retention" in back.stdout
    assert "note" not in (await invoke(tmp_path, "totals", "--since", "2024-04-01")).stdout


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('bodies = "364d"', "bodies: is shorter than ledger.legal_floor, 365 days"),
        ('bodies = "8y"', "bodies: is longer than entries are kept"),
        ('work = "forever"', "work: is longer than entries are kept"),
        ('faults = "soon"', "faults: must be a text such as"),
        ("ahead = 0", "ahead"),
        ('bodys = "400d"', "did you mean bodies?"),
    ],
)
async def test_what_cannot_be_kept_so_is_refused_in_words(
    ledger: Ledger, tmp_path: Path, table: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        write_configuration(tmp_path, ledger.store, f"[ledger.retention]\n{table}")
    assert f"ledger.retention.{words}" in str(refused.value) or words in str(refused.value)


async def test_another_floor(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="legal_floor, 732 days"):
        write_configuration(tmp_path, ledger.store, '[ledger]\nlegal_floor = "2y"')


async def test_the_doctor_looks_at_months(settings: Settings) -> None:
    [found] = await look_at_months(settings.store)
    assert found.state == "fine"

    parts = [Part(store, None, date(2026, 12, 1), 0) for store in ("deliveries", "bodies", "entries")]
    lacking = check(parts, 0, date(2026, 11, 25))
    assert (lacking.state, "the next one lacks" in lacking.words) == ("wrong", True)
    assert (
        check([*parts[:2], Part("entries", None, date(2027, 2, 1), 0)], 0, date(2026, 11, 25)).state
        == "wrong"
    )
    enough = [Part(store, None, date(2027, 1, 1), 0) for store in ("deliveries", "bodies", "entries")]
    assert check(enough, 0, date(2026, 11, 25)).state == "fine"
    assert check(enough, 3, date(2026, 11, 25)).state == "note"
