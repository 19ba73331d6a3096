"""Sealing as its keepers see it: by hand, verified, proved, compared with what was kept; words and exit codes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from commands.doctor.sealing import look_at_sealing
from settings import ConfigError, Settings, load
from tests.conftest import TEMPLATE
from tests.ledger.sealing import Ledger, database
from tests.support import Servers, write_configuration

KEY = "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
SEAL = """
[ledger.seal]
origin = "example.com/test"
keys = [{ name = "first", secret = { file = "seal.key" } }]
[ledger.holder]
file = "held.txt"
"""


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """A ledger of three entries."""
    async with database(servers, TEMPLATE) as ledger:
        await ledger.receive("a", "b", "c")
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """With a key, and a holder in a file."""
    (tmp_path / "seal.key").write_text(KEY)
    return write_configuration(tmp_path, ledger.store, SEAL)


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Path:
    """Where the configuration is."""
    return tmp_path


async def invoke(place: Path, *command: str) -> Result:
    """In a thread: a command runs a loop of its own."""
    runner = CliRunner(env={"HOOKLEDGER_CONFIG": str(place / "hookledger.toml"), "COLUMNS": "140"})
    return await asyncio.to_thread(runner.invoke, app, ["ledger", *command])


async def test_from_the_first_seal_to_proofs(ledger: Ledger, place: Path) -> None:
    assert (await invoke(place, "checkpoint")).exit_code == 2
    sealed = await invoke(place, "seal")
    assert (sealed.exit_code, sealed.stdout) == (0, "3 entries sealed, 3 in all; 0 wait\n")
    note = (await invoke(place, "checkpoint")).stdout
    assert note.startswith("example.com/test\n3\n")
    assert (place / "held.txt").read_text() == note
    assert (await invoke(place, "checkpoint", "--keys")).stdout.startswith("example.com/test+")

    (place / "kept.txt").write_text(note)
    await ledger.receive("d", "e")
    proof = await invoke(place, "prove", "2")
    assert (proof.exit_code, proof.stdout.splitlines()[0]) == (0, "c2sp.org/tlog-proof@v1")
    assert proof.stdout.endswith(f"\n\n{note}")
    early = await invoke(place, "prove", "4")
    assert (early.exit_code, "waits to be sealed" in early.stderr) == (2, True)
    assert (await invoke(place, "prove", "99")).exit_code == 2
    assert (await invoke(place, "prove")).exit_code == 2

    await invoke(place, "seal")
    grown = await invoke(place, "prove", "--since", str(place / "kept.txt"))
    assert (grown.exit_code, grown.stdout.splitlines()[0]) == (0, "old 3")
    told = json.loads((await invoke(place, "prove", "2", "--json")).stdout)
    assert json.loads(told["leaf"])["id"] == 2


async def test_a_clean_ledger_and_one_that_was_changed(ledger: Ledger, place: Path) -> None:
    assert "with a key in [ledger.seal]?" in (await invoke(place, "verify")).stdout
    await invoke(place, "seal")
    clean = await invoke(place, "verify")
    assert clean.exit_code == 0
    assert "4 entries recomputed" in clean.stdout
    assert "1 from elsewhere" in clean.stdout
    assert "everything fits" in clean.stdout
    told = await ledger.root.fetch(
        "SELECT outcome, detail->>'size', detail->>'findings' FROM entries WHERE hook = 'access' ORDER BY id"
    )
    assert [tuple(row) for row in told] == [("verified", "0", "0"), ("verified", "4", "0")]

    await ledger.sql(
        "SET session_replication_role = replica", "UPDATE entries SET outcome = 'x' WHERE id = 2"
    )
    changed = await invoke(place, "verify")
    assert changed.exit_code == 1
    assert "changed   entry 2: its columns are not those that were sealed" in changed.stdout
    told = json.loads((await invoke(place, "verify", "--json")).stdout)
    assert told["fits"] is False
    assert (told["findings"][0]["kind"], told["findings"][0]["row"]) == ("changed", "entry 2")
    refused = await invoke(place, "prove", "2")
    assert (refused.exit_code, "not as it was sealed" in refused.stderr) == (1, True)


async def test_since_a_kept_checkpoint(ledger: Ledger, place: Path) -> None:
    await invoke(place, "seal")
    kept = place / "kept.txt"
    kept.write_text((place / "held.txt").read_text())
    await ledger.receive("d", "e")
    await invoke(place, "seal")

    since = await invoke(place, "verify", "--since", str(kept))
    assert since.exit_code == 0
    assert "2 entries after the checkpoint of 3 recomputed" in since.stdout


async def test_a_restored_ledger_is_not_gone_on_with_unnoticed(ledger: Ledger, place: Path) -> None:
    await invoke(place, "seal")
    await ledger.sql("SET session_replication_role = replica")
    await ledger.sql("TRUNCATE entries, leaves, checkpoints, unsealed, deliveries, bodies, subjects")
    restored = await invoke(place, "verify")
    assert (restored.exit_code, "restored" in restored.stdout) == (1, True)

    held = (place / "held.txt").read_text()
    await ledger.sql("TRUNCATE handles", "SET session_replication_role = origin")
    await ledger.receive("f")
    told = json.loads((await invoke(place, "seal", "--json")).stdout)
    assert told["held"] == "refused"
    assert (place / "held.txt").read_text() == held


@pytest.mark.parametrize(
    "text", ["", "no note", "example.com/test\n3\nAAAA\n\n— example.com/test AAAAAAAA\n"]
)
async def test_what_was_kept_must_be_a_checkpoint_of_ours(place: Path, text: str) -> None:
    (place / "kept.txt").write_text(text)
    result = await invoke(place, "verify", "--kept", str(place / "kept.txt"))

    assert result.exit_code == 2
    assert str(place / "kept.txt") in result.stderr


async def test_without_a_key_nothing_is_sealed_and_all_say_so(ledger: Ledger, tmp_path: Path) -> None:
    settings = write_configuration(tmp_path, ledger.store)

    assert "no key is configured" in (sealed := await invoke(tmp_path, "seal")).stderr
    assert sealed.exit_code == 1
    assert (await invoke(tmp_path, "verify")).exit_code == 2
    [check] = await look_at_sealing(settings)
    assert (check.state, "nothing is sealed" in check.words) == ("note", True)


async def test_the_doctor_sees_whether_sealing_keeps_up(
    ledger: Ledger, place: Path, settings: Settings
) -> None:
    [waiting] = await look_at_sealing(settings)
    assert (waiting.state, "3 wait" in waiting.words) == ("fine", True)
    await ledger.sql(
        "SET session_replication_role = replica", "UPDATE entries SET at = at - interval '1 day'"
    )
    [late] = await look_at_sealing(settings)
    assert (late.state, "the oldest from" in late.words) == ("wrong", True)

    await invoke(place, "seal")
    [sealed] = await look_at_sealing(settings)
    assert sealed.state == "fine"
    assert "3 entries sealed, the newest checkpoint was made" in sealed.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seal.key", "short"), "32 random bytes"),
        (('"first"', '"a b"'), "letters, digits"),
        (('"example.com/test"', '"a b"'), "name without blanks"),
        (('file = "held.txt"', ""), "needs file or url"),
        (('file = "held.txt"', 'url = "http://example.com/x"'), "https://"),
        (("[ledger.holder]", 'sign_with = "second"\n[ledger.holder]'), "names no key"),
        (("secret = {", 'public = "x+y+z", secret = {'), "verifier key"),
    ],
)
def test_mistakes_in_the_configuration_are_named(
    settings: Settings, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    path = tmp_path / "hookledger.toml"
    if change[0] == "seal.key":
        (tmp_path / "seal.key").write_text(change[1])
    else:
        path.write_text(path.read_text().replace(*change))
    with pytest.raises(ConfigError, match=words) as wrong:
        load(path)
    assert "ledger." in str(wrong.value)
    assert KEY not in str(wrong.value)


@pytest.mark.parametrize("table", ["bodies", "entries"])
async def test_a_store_that_fails_halfway_ends_in_words(ledger: Ledger, place: Path, table: str) -> None:
    await invoke(place, "seal")
    await ledger.sql(f"ALTER TABLE {table} RENAME TO elsewhere")

    broken = await invoke(place, "verify")

    assert broken.exit_code == 2, (broken.output, broken.exception)
    assert "the store" in broken.stderr
