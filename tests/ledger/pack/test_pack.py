"""A stranger gets a pack, and finds out with Python alone what it is worth."""

import csv
import io
import json
import shutil
import subprocess
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.note import Signer
from ledger.pack.making import COLUMNS, NobodyNamed
from ledger.prove import Tampered, Unprovable
from tests.conftest import TEMPLATE
from tests.ledger.pack.packing import files_of, packed, verified, write
from tests.ledger.sealing import SEALED, SIGNER, WAITING, Ledger, database, fill
from tests.support import Servers


@pytest.fixture(scope="module")
async def sealed(servers: Servers) -> AsyncGenerator[Ledger]:
    """A sealed ledger."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        await ledger.save()
        yield ledger


@pytest.fixture
async def ledger(sealed: Ledger) -> AsyncGenerator[Ledger]:
    """As it was before each test."""
    yield sealed
    await sealed.restore()
    await sealed.sql("SET session_replication_role = origin")


async def note(ledger: Ledger, size: int) -> str:
    """A checkpoint as somebody kept it."""
    return await ledger.root.fetchval("SELECT note FROM checkpoints WHERE size = $1", size)


async def test_a_stranger_checks_it_with_python_alone(ledger: Ledger, tmp_path: Path) -> None:
    made = await packed(ledger, tmp_path / "pack.zip", bodies=True)

    alone = verified(tmp_path)
    assert (alone.code, made.rows, made.waiting, made.bodies, made.gone) == (0, SEALED, WAITING, 40, 0)
    assert "everything fits" in alone.words
    assert "they are the whole ledger: nothing sealed was left out" in alone.words
    assert f"{WAITING} more were not sealed yet" in alone.words
    assert "came with the pack" in alone.words
    (tmp_path / "kept.txt").write_text(await note(ledger, SEALED))
    surer = verified(
        tmp_path,
        "pack.zip",
        "--key",
        str(SIGNER.verifier),
        "--checkpoint",
        "kept.txt",
        "--manifest",
        made.manifest,
    )
    assert surer.code == 0
    assert "kept.txt: the pack is of the ledger that it was kept of" in surer.words
    assert "came with the pack" not in surer.words


async def test_the_unpacked_folder_is_checked_as_well(ledger: Ledger, tmp_path: Path) -> None:
    await packed(ledger, tmp_path / "pack.zip", bodies=True)
    for name, data in files_of(tmp_path / "pack.zip").items():
        (tmp_path / name).write_bytes(data)

    assert verified(tmp_path, ".").code == 0
    (tmp_path / "entries.csv").unlink()
    assert ("missing", "entries.csv") in verified(tmp_path, ".", "--json").found


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({}, 60),
        ({"person": "person3"}, 8),
        ({"application": "hr"}, 39),
        ({"person": "PERSON3", "application": "hr"}, 6),
    ],
)
async def test_parts_of_the_ledger_are_proved_too(
    ledger: Ledger, tmp_path: Path, asked: Any, rows: int
) -> None:
    made = await packed(ledger, tmp_path / "pack.zip", bodies=True, **asked)
    files = files_of(tmp_path / "pack.zip")

    assert verified(tmp_path, "pack.zip", "--key", str(SIGNER.verifier)).code == 0
    assert made.rows == len(files["entries.jsonl"].splitlines()) > 0
    assert made.rows == rows
    assert ("control.jsonl" in files) == (not asked)
    if asked:
        assert "no pack can show" in verified(tmp_path).words


async def test_a_part_by_time_has_no_gaps(ledger: Ledger, tmp_path: Path) -> None:
    times = [r["at"] for r in await ledger.root.fetch("SELECT at FROM entries ORDER BY id LIMIT 60")]
    made = await packed(ledger, tmp_path / "pack.zip", since=times[10], until=times[20])

    assert made.rows == 10
    assert verified(tmp_path).code == 0
    assert "leaves 10 to 19 without a gap" in verified(tmp_path).words


async def test_nothing_that_was_asked_for_is_a_pack_too(ledger: Ledger, tmp_path: Path) -> None:
    made = await packed(ledger, tmp_path / "pack.zip", until=datetime(2020, 1, 1, tzinfo=UTC), bodies=True)

    assert (made.rows, verified(tmp_path).code) == (0, 0)
    with pytest.raises(NobodyNamed):
        await packed(ledger, tmp_path / "pack.zip", person="nobody.ever")


async def test_rows_are_the_same_in_both_forms_and_safe_in_a_spreadsheet(
    ledger: Ledger, tmp_path: Path
) -> None:
    await ledger.receive("formula", application="=1+1")
    await ledger.seal()
    await packed(ledger, tmp_path / "pack.zip", application="=1+1")
    files = files_of(tmp_path / "pack.zip")

    [row] = map(json.loads, files["entries.jsonl"].splitlines())
    headings, cells = csv.reader(io.StringIO(files["entries.csv"].decode()))
    told = dict(zip(headings, cells, strict=True))
    assert tuple(headings) == COLUMNS
    assert (row["application"], told["application"]) == ("=1+1", "'=1+1")
    assert (told["id"], told["acting_for"], told["detail"]) == (str(row["id"]), "", "{}")
    assert verified(tmp_path).code == 0


async def test_without_bodies_nobody_is_named(ledger: Ledger, tmp_path: Path) -> None:
    await packed(ledger, tmp_path / "pack.zip")
    files = files_of(tmp_path / "pack.zip")

    assert "bodies.jsonl" not in files
    assert not any(b"person3" in data for data in files.values())
    assert "made without them" in verified(tmp_path).words


async def test_an_erased_body_is_no_fault(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.sql("DELETE FROM bodies WHERE delivery = (SELECT delivery FROM entries WHERE id = 12)")
    made = await packed(ledger, tmp_path / "pack.zip", bodies=True)

    verdict = verified(tmp_path)
    assert (made.bodies, made.gone, verdict.code) == (39, 1, 0)
    assert "of 1 only the commitment stands" in verdict.words


async def test_entries_that_retention_dropped_leave_the_rest_provable(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.sql("SET session_replication_role = replica", "DELETE FROM entries WHERE id <= 25")
    made = await packed(ledger, tmp_path / "pack.zip")

    verdict = verified(tmp_path)
    assert (made.rows, verdict.code) == (35, 0)
    assert "leaves 25 to 59 without a gap" in verdict.words


async def test_checkpoints_that_were_kept(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text(await note(ledger, 30))
    until = await ledger.root.fetchval("SELECT at FROM entries WHERE id = 11")
    await packed(ledger, tmp_path / "pack.zip", until=until)
    cannot = verified(tmp_path, "pack.zip", "--checkpoint", "kept.txt")
    assert (cannot.code, "ask for a pack made with --checkpoint" in cannot.words) == (2, True)

    await packed(ledger, tmp_path / "pack.zip", kept=(await note(ledger, 30),), until=until)
    assert verified(tmp_path, "pack.zip", "--checkpoint", "kept.txt").code == 0
    with pytest.raises(Unprovable):
        await packed(ledger, tmp_path / "other.zip", kept=("nonsense",))

    # A note of a tree that never was, signed with the true key: another history.
    _, size, _ = (await note(ledger, 30)).split("\n", 2)
    forked = SIGNER.sign(f"{SIGNER.verifier.name}\n{size}\n{'A' * 43}=\n")
    (tmp_path / "forked.txt").write_text(forked)
    assert ("forked", "forked.txt") in verified(
        tmp_path, "pack.zip", "--checkpoint", "forked.txt", "--json"
    ).found
    with pytest.raises(Tampered):
        await packed(ledger, tmp_path / "other.zip", kept=(forked,))


async def test_a_checkpoint_of_later_is_not_passed_over(ledger: Ledger, tmp_path: Path) -> None:
    await packed(ledger, tmp_path / "pack.zip")
    (tmp_path / "kept.txt").write_text(await note(ledger, await ledger.seal()))

    verdict = verified(tmp_path, "pack.zip", "--checkpoint", "kept.txt")
    assert (verdict.code, "keep it for the next pack" in verdict.words) == (2, True)


async def test_keys_that_were_changed_in_between(ledger: Ledger, tmp_path: Path) -> None:
    other = Signer(SIGNER.verifier.name, bytes(32))
    await ledger.sql(
        "SET session_replication_role = replica", "UPDATE checkpoints SET at = at - interval '3 days'"
    )
    assert await ledger.seal(other) == SEALED + WAITING
    made = await packed(ledger, tmp_path / "pack.zip", keys=(SIGNER.verifier, other.verifier))

    assert made.checkpoint.size == SEALED + WAITING
    assert verified(tmp_path, "pack.zip", "--key", str(other.verifier)).code == 0
    old = verified(tmp_path, "pack.zip", "--key", str(SIGNER.verifier), "--json")
    assert old.found == {("forged", "checkpoint.txt")}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET outcome = 'done' WHERE id = 12",
        "UPDATE leaves SET hashes = sha256('else') || substr(hashes, 33) WHERE number = 13",
        "UPDATE leaves SET hashes = substr(hashes, 1, 20) WHERE number = 13",
        "UPDATE checkpoints SET note = replace(note, E'\\n60\\n', E'\\n61\\n') WHERE number = 6",
    ],
)
async def test_a_ledger_that_does_not_fit_gives_no_pack(ledger: Ledger, tmp_path: Path, change: str) -> None:
    await ledger.sql("SET session_replication_role = replica", change)

    with pytest.raises(Unprovable):
        await packed(ledger, tmp_path / "pack.zip")


async def test_whoever_takes_a_pack_is_taken_down(ledger: Ledger, tmp_path: Path) -> None:
    made = await packed(ledger, tmp_path / "pack.zip", person="person3", bodies=True)

    rows = await ledger.root.fetch(
        "SELECT subject, outcome, actor, detail FROM entries WHERE hook = 'access' AND delivery = $1 ORDER BY id",
        made.receipt,
    )
    begun, read = [json.loads(row["detail"]) for row in rows]
    assert [row["outcome"] for row in rows] == ["reading", "read"]
    assert {row["actor"] for row in rows} == {"key:auditor"}
    assert all(isinstance(row["subject"], uuid.UUID) for row in rows)
    assert begun == {"question": "pack", "parameters": {"bodies": True}}
    assert (read["rows"], read["sha256"]) == (made.rows, made.manifest)
    assert "person3" not in json.dumps([begun, read])


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.12", "3.13"])
async def test_other_pythons_find_the_same(ledger: Ledger, tmp_path: Path, python: str) -> None:
    found = _python(python)
    if found is None:
        pytest.skip(f"there is no Python {python} here")
    await packed(ledger, tmp_path / "pack.zip", bodies=True)
    assert verified(tmp_path, python=found).code == 0
    files = files_of(tmp_path / "pack.zip")
    write(
        tmp_path / "pack.zip", files | {"entries.jsonl": files["entries.jsonl"].replace(b'"hr"', b'"erp"', 1)}
    )
    assert verified(tmp_path, python=found).code == 1


def _python(version: str) -> str | None:
    """One that runs: on the path, or beside others that pyenv has."""
    beside = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for found in filter(None, (shutil.which(f"python{version}"), *map(str, beside))):
        if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return None
