"""Whoever has the pack changes it in every way one can think of; each is found, and named as what it is.

A careless forger leaves the manifest as it was. A careful one mends it, so that only proofs, signatures, commitments and what the
files say of each other are left to tell.
"""

import base64
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.note import Signer
from ledger.pack.verify import main
from tests.conftest import TEMPLATE
from tests.ledger.pack.packing import Files, Verdict, files_of, packed, verified, write
from tests.ledger.sealing import SIGNER, database, fill
from tests.support import Servers

Change = Callable[[Files], object]


@pytest.fixture(scope="module")
async def files(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Files]:
    """Of a pack of the whole ledger, with bodies."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        pack = tmp_path_factory.mktemp("pack") / "pack.zip"
        await packed(ledger, pack, bodies=True)
        yield files_of(pack)


def lines(name: str, change: Callable[[list[bytes]], object]) -> Change:
    """Changes the lines of a file."""

    def changed(files: Files) -> None:
        found = files[name].splitlines(keepends=True)
        change(found)
        files[name] = b"".join(found)

    return changed


def swap(name: str, one: int, other: int) -> Change:
    """Two lines in each other's place."""

    def swapped(found: list[bytes]) -> None:
        found[one], found[other] = found[other], found[one]

    return lines(name, swapped)


def cut(name: str, place: int) -> Change:
    """A line less."""
    return lines(name, lambda found: found.pop(place))


def again(name: str, place: int) -> Change:
    """A line twice."""
    return lines(name, lambda found: found.insert(place + 1, found[place]))


def put(name: str, place: int, old: bytes, new: bytes) -> Change:
    """Something else in a line."""

    def replaced(found: list[bytes]) -> None:
        assert old in found[place], found[place]
        found[place] = found[place].replace(old, new, 1)

    return lines(name, replaced)


def both(*changes: Change) -> Change:
    """One after the other."""

    def all_of(files: Files) -> None:
        for change in changes:
            change(files)

    return all_of


def manifest(change: Callable[[dict[str, Any]], object]) -> Change:
    """The manifest says something else."""

    def changed(files: Files) -> None:
        told = json.loads(files["manifest.json"])
        change(told)
        files["manifest.json"] = json.dumps(told).encode()

    return changed


def signed(signer: Signer, text: Callable[[str], str] = lambda text: text) -> Change:
    """The newest checkpoint signed by somebody, wherever it stands, and with another text."""

    def changed(files: Files) -> None:
        note = files["checkpoint.txt"].decode()
        new = signer.sign(text(note.rpartition("\n\n")[0] + "\n"))
        files["checkpoint.txt"] = new.encode()
        listed = files["checkpoints.jsonl"].splitlines(keepends=True)
        size = int(new.split("\n")[1])
        listed[-1] = json.dumps({"size": size, "note": new}).encode() + b"\n"
        files["checkpoints.jsonl"] = b"".join(listed)
        told = json.loads(files["manifest.json"])
        root = base64.b64decode(new.split("\n")[2]).hex()
        told["checkpoint"] = {"origin": new.split("\n")[0], "size": size, "root": root}
        files["manifest.json"] = json.dumps(told).encode()

    return changed


OTHER = Signer(SIGNER.verifier.name, bytes(32))
ROWS, CSV, PROOF, BODIES = "entries.jsonl", "entries.csv", "proof.txt", "bodies.jsonl"
OF_12 = "entry 12 (leaf 11)"
_ROOT = base64.b64encode(bytes(32)).decode()

CAREFUL: dict[str, tuple[Change, tuple[str, str]]] = {
    "a row changed": (put(ROWS, 11, b'"outcome":"', b'"outcome":"x'), ("changed", OF_12)),
    "a row and its csv changed": (
        both(put(ROWS, 11, b'"received"', b'"refused"'), put(CSV, 12, b"received", b"refused")),
        ("changed", OF_12),
    ),
    "a row's columns in another order": (
        put(ROWS, 11, b'{"leaf":11,"acting_for":"somebody",', b'{"acting_for":"somebody","leaf":11,'),
        ("changed", OF_12),
    ),
    "a column said twice": (put(ROWS, 11, b'{"leaf":11,', b'{"leaf":11,"outcome":"x",'), ("changed", OF_12)),
    "a column put in": (put(ROWS, 11, b"}\n", b',"zz":1}\n'), ("changed", OF_12)),
    "a row removed": (both(cut(ROWS, 11), cut(CSV, 12)), ("missing", "leaf 11")),
    "a row removed with its leaf": (both(cut(ROWS, 11), cut(CSV, 12), cut(PROOF, 11)), ("changed", "proof.txt, line 12")),
    "the last row removed": (both(cut(ROWS, 59), cut(CSV, 60)), ("missing", "leaf 59")),
    "the last row removed with its leaf": (
        both(cut(ROWS, 59), cut(CSV, 60), cut(PROOF, 59)),
        ("missing", "checkpoint.txt"),
    ),
    "a row twice": (both(again(ROWS, 11), again(CSV, 12)), ("inserted", OF_12)),
    "a row put in at the end": (
        lines(ROWS, lambda found: found.append(found[11].replace(b'"leaf":11', b'"leaf":60'))),
        ("inserted", "entry 12 (leaf 60)"),
    ),
    "a row put in at the end with a leaf": (
        both(
            lines(ROWS, lambda found: found.append(found[11].replace(b'"leaf":11', b'"leaf":60'))),
            lines(PROOF, lambda found: found.append(found[11].replace(b"leaf 11 ", b"leaf 60 "))),
        ),
        ("inserted", "proof.txt"),
    ),
    "two rows swapped": (both(swap(ROWS, 11, 12), swap(CSV, 12, 13)), ("reordered", OF_12)),
    "two rows swapped, and their numbers": (
        both(
            put(ROWS, 11, b'"leaf":11', b'"leaf":12'), put(ROWS, 12, b'"leaf":12', b'"leaf":11'), swap(ROWS, 11, 12),
        ),
        ("changed", "entry 13 (leaf 11)"),
    ),
    "no row any more": (put(ROWS, 11, b'"outcome"', b"outcome"), ("changed", "entries.jsonl, line 12")),
    "the csv changed": (put(CSV, 12, b"tester", b"nobody"), ("changed", OF_12)),
    "a row of the csv removed": (cut(CSV, 12), ("missing", OF_12)),
    "a row of the csv twice": (again(CSV, 12), ("inserted", "entries.csv")),
    "a row of the csv at the end": (lines(CSV, lambda found: found.append(found[12])), ("inserted", "entries.csv")),
    "two rows of the csv swapped": (swap(CSV, 12, 13), ("missing", OF_12)),
    "the headings of the csv changed": (put(CSV, 0, b"actor,acting_for", b"acting_for,actor"), ("changed", "entries.csv")),
    "a leaf of the proof changed": (
        lines(PROOF, lambda found: found.__setitem__(11, b"leaf 11 " + b"0" * 64 + b"\n")),
        ("changed", "checkpoint.txt"),
    ),
    "a line of the proof removed": (cut(PROOF, 11), ("changed", "proof.txt, line 12")),
    "a line of the proof that is none": (put(PROOF, 11, b"leaf", b"twig"), ("changed", "proof.txt, line 12")),
    "a body changed": (put(BODIES, 11, b"person", b"nobody"), ("changed", "body")),
    "a salt changed": (put(BODIES, 11, b'"salt":"', b'"salt":"00'), ("changed", "body")),
    "a body put in": (again(BODIES, 11), ("inserted", "body")),
    "two bodies swapped": (swap(BODIES, 11, 12), ("inserted", "body")),
    "a body taken for erased": (
        lines(BODIES, lambda found: found.__setitem__(11, _without(found[11]))),
        ("changed", "manifest.json"),
    ),
    "a body removed": (cut(BODIES, 11), ("changed", "manifest.json")),
    "another root signed by somebody": (signed(OTHER, lambda text: text.replace(text.split("\n")[2], _ROOT)), ("forged", "checkpoint.txt")),
    "the same root signed by somebody": (signed(OTHER), ("forged", "checkpoint.txt")),
    "the checkpoint of another tree": (
        signed(SIGNER, lambda text: text.replace(text.split("\n")[2], _ROOT)),
        ("changed", "checkpoint.txt"),
    ),
    "the checkpoint of a larger tree": (
        signed(SIGNER, lambda text: text.replace("\n60\n", "\n61\n")),
        ("missing", "checkpoint.txt"),
    ),
    "a signature with a bit turned": (lambda files: _turned(files), ("forged", "checkpoint.txt")),
    "a checkpoint that says another size": (
        put("checkpoints.jsonl", 0, b'"size":60', b'"size":50'),
        ("changed", "checkpoints.jsonl, line 1"),
    ),
    "no checkpoint any more": (
        lambda files: files.__setitem__("checkpoint.txt", b"nothing\n"),
        ("forged", "checkpoint.txt"),
    ),
    "a key that is none": (put("keys.txt", 0, b"+", b"-"), ("changed", "keys.txt")),
    "a total changed": (put("totals.jsonl", 0, b'"rows":', b'"rows":1'), ("changed", "totals.jsonl, line 1")),
    "a total removed": (cut("totals.jsonl", 0), ("missing", "totals.jsonl")),
    "a total twice": (again("totals.jsonl", 0), ("changed", "totals.jsonl, line 2")),
    "control totals changed": (
        put("control.jsonl", 0, b'"balanced":false', b'"balanced":true'),
        ("changed", "control.jsonl, line 1"),
    ),
    "another query": (
        manifest(lambda told: told["query"].__setitem__("application", "erp")),
        ("inserted", "entry 1 (leaf 0)"),
    ),
    "another tenant": (manifest(lambda told: told["query"].__setitem__("tenant", "as200")), ("inserted", OF_12)),
    "another time": (
        manifest(lambda told: told["query"].__setitem__("until", "2020-01-01T00:00:00.000000Z")),
        ("inserted", OF_12),
    ),
    "other people": (manifest(lambda told: told.__setitem__("people", [])), ("inserted", OF_12)),
    "another checkpoint in the manifest": (
        manifest(lambda told: told["checkpoint"].__setitem__("size", 59)),
        ("changed", "manifest.json"),
    ),
    "a file put in": (lambda files: files.__setitem__("more.txt", b""), ("inserted", "more.txt")),
    "a file removed": (lambda files: files.pop("schema.json"), ("missing", "schema.json")),
    "the rows removed": (lambda files: files.pop(ROWS), ("missing", ROWS)),
    "no manifest": (manifest(lambda told: told.pop("files")), ("damaged", "the pack")),
}  # fmt: skip


def _without(line: bytes) -> bytes:
    return json.dumps(json.loads(line) | {"salt": None, "body": None}).encode() + b"\n"


def _turned(files: Files) -> None:
    text, _, encoded = files["checkpoint.txt"].decode().rstrip("\n").rpartition(" ")
    signature = bytearray(base64.b64decode(encoded))
    signature[40] ^= 1
    files["checkpoint.txt"] = f"{text} {base64.b64encode(signature).decode()}\n".encode()


@pytest.fixture
def folder(files: Files, tmp_path: Path) -> Path:
    """With a verifier from elsewhere, as one should have it."""
    (tmp_path / "verify.py").write_bytes(files["verify.py"])
    return tmp_path


def _verified(folder: Path, *more: str) -> Verdict:
    """In this process: sixty of them shall not take a minute."""
    said = io.StringIO()
    arguments = [str(folder / "pack.zip"), "--key", str(SIGNER.verifier), "--json", *more]
    with contextlib.redirect_stdout(said):
        code = main(arguments)
    words = said.getvalue()
    return Verdict(code, words, json.loads(words) if words.startswith("{") else {"findings": []})


def test_nothing_is_found_in_a_pack_that_was_only_packed_again(files: Files, folder: Path) -> None:
    write(folder / "pack.zip", files, mended=True)

    verdict = _verified(folder)
    assert (verdict.code, verdict.found) == (0, set())


@pytest.mark.parametrize("kind", CAREFUL)
def test_what_a_careful_forger_does(files: Files, folder: Path, kind: str) -> None:
    change, (expected, where) = CAREFUL[kind]
    mine = dict(files)
    change(mine)
    assert mine != files
    write(folder / "pack.zip", mine, mended="files" in json.loads(mine["manifest.json"]))

    verdict = _verified(folder)
    assert verdict.code == 1
    assert any(found == expected and place.startswith(where) for found, place in verdict.found), verdict.found


@pytest.mark.parametrize(
    "name", ["README.txt", "verify.py", "schema.json", "totals.jsonl", "control.jsonl", ROWS, CSV, BODIES]
)
def test_a_careless_forger_is_told_by_the_manifest(files: Files, folder: Path, name: str) -> None:
    write(folder / "pack.zip", files | {name: files[name] + b"\n"})

    verdict = _verified(folder)
    assert verdict.code == 1
    assert ("changed", name) in verdict.found


def test_a_manifest_that_was_mended_is_told_by_its_hash(files: Files, folder: Path) -> None:
    write(folder / "pack.zip", files)
    true = _verified(folder).told["manifest"]
    mine = files | {BODIES: files[BODIES] and b"".join(map(_without, files[BODIES].splitlines()))}
    manifest(lambda told: told.__setitem__("bodies", {"given": 0, "gone": 40}))(mine)
    write(folder / "pack.zip", mine, mended=True)

    assert _verified(folder).code == 0, "bodies that the maker held back show only in the manifest"
    assert ("changed", "manifest.json") in _verified(folder, "--manifest", true).found


@pytest.mark.parametrize("part", [0.05, 0.5, 0.97, 0.9999])
def test_an_archive_that_is_cut_off(files: Files, folder: Path, part: float) -> None:
    pack = folder / "pack.zip"
    write(pack, files)
    data = pack.read_bytes()
    pack.write_bytes(data[: int(len(data) * part)])

    verdict = verified(folder, "pack.zip")
    assert (verdict.code, "DAMAGED" in verdict.words) == (1, True)
    told = verified(folder, "pack.zip", "--json").told
    assert (told["fits"], told["findings"][0]["kind"]) == (False, "damaged")


def test_an_archive_with_a_bit_turned(files: Files, folder: Path) -> None:
    pack = folder / "pack.zip"
    for place in range(100, 1900, 300):
        write(pack, files)
        data = bytearray(pack.read_bytes())
        data[place] ^= 0x10
        pack.write_bytes(data)
        assert verified(folder, "pack.zip").code == 1, place


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_file_twice(files: Files, folder: Path) -> None:
    write(folder / "pack.zip", files)
    with zipfile.ZipFile(folder / "pack.zip", "a") as archive:
        archive.writestr(ROWS, files[ROWS])

    assert ("inserted", ROWS) in _verified(folder).found


def test_what_cannot_be_checked_is_no_finding(files: Files, folder: Path) -> None:
    write(folder / "pack.zip", files)

    assert verified(folder, "none.zip").code == 2
    assert verified(folder, "pack.zip", "--key", "nonsense").code == 2
    assert verified(folder, "pack.zip", "--checkpoint", "none.txt").code == 2
    assert verified(folder, "pack.zip", "--nonsense").code == 2
    (folder / "keys.txt").write_text(f"{SIGNER.verifier}\n")
    assert verified(folder, "pack.zip", "--key", "keys.txt").code == 0
    (folder / "other.txt").write_text("no note")
    assert verified(folder, "pack.zip", "--checkpoint", "other.txt").code == 2
