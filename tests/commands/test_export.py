"""`ledger export` as its users see it: a file that is there once it is whole, words, exit codes, a pipe."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from settings import Settings
from tests.architecture.tree import ROOT
from tests.conftest import TEMPLATE
from tests.ledger.pack.packing import verified
from tests.ledger.sealing import Ledger, database
from tests.support import Servers, write_configuration

SEAL = """
[ledger.seal]
origin = "example.com/test"
keys = [{ name = "first", secret = { file = "seal.key" } }]
"""


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """A ledger of three entries."""
    async with database(servers, TEMPLATE) as ledger:
        await ledger.receive("a", "b", "c")
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """With a key."""
    (tmp_path / "seal.key").write_text("BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ")
    return write_configuration(tmp_path, ledger.store, SEAL)


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Path:
    """Where the configuration is."""
    return tmp_path


async def invoke(place: Path, *command: str) -> Result:
    """In a thread: a command runs a loop of its own."""
    runner = CliRunner(env={"HOOKLEDGER_CONFIG": str(place / "hookledger.toml"), "COLUMNS": "140"})
    return await asyncio.to_thread(runner.invoke, app, ["ledger", *command])


async def accesses(place: Path) -> list[dict[str, Any]]:
    """Of packs: asking for them is one itself."""
    told = map(json.loads, (await invoke(place, "accesses", "--json")).stdout.splitlines())
    return [access for access in told if access["question"] == "pack"]


async def test_from_the_ledger_to_the_auditor(place: Path) -> None:
    pack = place / "pack.zip"
    unsealed = await invoke(place, "export", "--pack", str(pack))
    assert (unsealed.exit_code, "nothing is sealed yet" in unsealed.stderr) == (2, True)
    await invoke(place, "seal")
    made = await invoke(place, "export", "--pack", str(pack), "--bodies")
    assert made.exit_code == 0, made.output
    assert "3 rows under the checkpoint of 3 entries" in made.stdout
    assert "3 bodies" in made.stdout
    assert stat.S_IMODE(pack.stat().st_mode) == 0o600
    assert not (place / "pack.zip.part").exists()

    key = (await invoke(place, "checkpoint", "--keys")).stdout.strip()
    (place / "kept.txt").write_text((await invoke(place, "checkpoint")).stdout)
    verdict = verified(place, "pack.zip", "--key", key, "--checkpoint", "kept.txt")
    assert verdict.code == 0, verdict.words
    begun, read = await accesses(place)
    assert (begun["outcome"], read["outcome"], read["question"]) == ("reading", "read", "pack")
    assert f"SHA-256 {read['sha256']}" in verdict.words
    again = await invoke(place, "export", "--pack", str(pack))
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


async def test_a_program_is_told_what_was_made(place: Path) -> None:
    await invoke(place, "seal")
    kept = place / "kept.txt"
    kept.write_text((await invoke(place, "checkpoint")).stdout)
    made = await invoke(
        place,
        "export",
        "--pack",
        str(place / "one.zip"),
        "--person",
        "a",
        "--checkpoint",
        str(kept),
        "--json",
    )

    told = json.loads(made.stdout)
    assert (told["rows"], told["checkpoint"]["size"], told["waiting"]) == (1, 3, 0)
    assert told["bytes"] == (place / "one.zip").stat().st_size


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tenant", "else"), "no tenant else"),
        (("--person", "nobody.ever"), "nobody was ever called so"),
        (("--person", ""), "--person:"),
        (("--since", "yesterday"), "--since:"),
        (("--checkpoint", "hookledger.toml"), "it is no signed note"),
        (("--pack", "none/pack.zip"), "cannot be written"),
    ],
)
async def test_what_cannot_be_packed_is_said(
    place: Path, options: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    await invoke(place, "seal")
    refused = await invoke(place, "export", "--pack", "pack.zip", *options)

    assert (refused.exit_code, words in refused.stderr) == (2, True), refused.stderr
    assert list(place.glob("pack.zip*")) == []


async def test_a_ledger_that_was_changed_leaves_no_file(ledger: Ledger, place: Path) -> None:
    await invoke(place, "seal")
    await ledger.sql(
        "SET session_replication_role = replica", "UPDATE entries SET outcome = 'x' WHERE id = 2"
    )
    refused = await invoke(place, "export", "--pack", str(place / "pack.zip"))

    assert (refused.exit_code, "entry 2 is not as it was sealed" in refused.stderr) == (1, True)
    assert list(place.glob("pack.zip*")) == []
    assert [access["outcome"] for access in await accesses(place)] == ["reading", "broken off"]


async def test_down_a_pipe(place: Path) -> None:
    await invoke(place, "seal")
    command = [sys.executable, str(ROOT / "cli.py"), "ledger", "export", "--pack", "-"]
    environment = os.environ | {"HOOKLEDGER_CONFIG": str(place / "hookledger.toml")}
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    (place / "pack.zip").write_bytes(done.stdout)
    with zipfile.ZipFile(place / "pack.zip") as archive:
        assert archive.testzip() is None
    assert verified(place).code == 0
    assert b"3 rows" in done.stderr
