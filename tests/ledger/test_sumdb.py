"""Checkpoints and proofs as a program sees them that is not ours: golang.org/x/mod/sumdb, kept in tests/ledger/sumdb.

Its packages `note` and `tlog` stand there as they were published, so that the test needs Go and no network.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ledger.prove import prove_consistency, prove_inclusion
from ledger.seal import sealing
from tests.conftest import TEMPLATE
from tests.ledger.sealing import SEALED, SIGNER, Ledger, database, fill
from tests.support import Servers

SOURCE = Path(__file__).parent / "sumdb"
KEY = str(SIGNER.verifier)


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built."""
    if shutil.which("go") is None:
        pytest.skip(
            "there is no Go here, which builds the program that is not ours (Debian: apt install golang)"
        )
    program = tmp_path_factory.mktemp("sumdb") / "sumdb"
    offline = {
        "GOFLAGS": "-mod=vendor",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
    }
    subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, env=os.environ | offline, check=True)
    return program


@pytest.fixture(scope="module")
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """Six checkpoints."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        yield ledger


def _run(checker: Path, *command: str | Path, given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checker, *command], input=given, capture_output=True, text=True, check=False)


async def test_every_entry_is_proved_to_it(checker: Path, ledger: Ledger) -> None:
    async with sealing(ledger.store) as connection:
        for entry in range(1, SEALED + 1):
            proof = await prove_inclusion(connection, entry)
            done = _run(checker, "inclusion", KEY, given=proof.text())
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout)["id"] == entry


async def test_growth_is_proved_to_it_from_every_checkpoint(
    checker: Path, ledger: Ledger, tmp_path: Path
) -> None:
    async with sealing(ledger.store) as connection:
        for size in range(10, SEALED + 1, 10):
            note = await ledger.root.fetchval("SELECT note FROM checkpoints WHERE size = $1", size)
            (tmp_path / "old").write_text(note)
            proof = await prove_consistency(connection, await ledger.checkpoint(size))
            done = _run(checker, "consistency", KEY, tmp_path / "old", given=proof.text())
            assert (done.returncode, done.stderr) == (0, "")


async def test_a_line_that_a_restore_began_is_proved_to_it(
    checker: Path, servers: Servers, tmp_path: Path
) -> None:
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        handover = await ledger.restored()
        await ledger.seal()
        note = await ledger.root.fetchval("SELECT note FROM checkpoints WHERE number = 7")
        (tmp_path / "old").write_text(note)
        key = str(SIGNER.verifier.named(handover.checkpoint.origin))
        async with sealing(ledger.store) as connection:
            grown = await prove_consistency(connection, handover.checkpoint)
            proof = await prove_inclusion(connection, SEALED + 1)
        done = _run(checker, "consistency", key, tmp_path / "old", given=grown.text())
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(_run(checker, "inclusion", key, given=proof.text()).stdout)["id"] == SEALED + 1
        assert _run(checker, "inclusion", KEY, given=proof.text()).returncode == 1, (
            "another name, another key"
        )


async def test_it_takes_no_proof_that_was_tampered_with(
    checker: Path, ledger: Ledger, tmp_path: Path
) -> None:
    async with sealing(ledger.store) as connection:
        text = (await prove_inclusion(connection, 12)).text()
        grown = (await prove_consistency(connection, await ledger.checkpoint(30))).text()
    (tmp_path / "old").write_text(await ledger.root.fetchval("SELECT note FROM checkpoints WHERE size = 30"))
    extra = text.split("\n")[1]
    leaf = base64.b64decode(extra.removeprefix("extra "))
    forged = "extra " + base64.b64encode(leaf.replace(b'"id":12', b'"id":13')).decode()

    assert _run(checker, "inclusion", KEY, given=text).returncode == 0
    for wrong in (
        text.replace(extra, forged),
        text.replace("index 11", "index 12"),
        text.replace(f"\n{SEALED}\n", f"\n{SEALED + 1}\n"),
    ):
        assert wrong != text
        assert _run(checker, "inclusion", KEY, given=wrong).returncode == 1
    assert _run(checker, "consistency", KEY, tmp_path / "old", given=grown).returncode == 0
    lines = grown.split("\n")
    lines[1], lines[2] = lines[2], lines[1]
    assert _run(checker, "consistency", KEY, tmp_path / "old", given="\n".join(lines)).returncode == 1
