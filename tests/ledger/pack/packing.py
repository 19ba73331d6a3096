"""Packs of the sealed ledger of tests.ledger.sealing, and the verifier as a stranger runs it: alone in an empty folder."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.engine import connect
from ledger.note import VerifierKey
from ledger.pack.asked import PackAsked
from ledger.pack.making import Made, Making, make_pack
from tests.ledger.asking import AUDITOR
from tests.ledger.sealing import SIGNER, Ledger

Files = dict[str, bytes]


@dataclass(frozen=True)
class Verdict:
    """What the verifier said: its exit code, its words or its object."""

    code: int
    words: str
    told: Mapping[str, Any]

    @property
    def found(self) -> set[tuple[str, str]]:
        """Kind and place of all that does not fit."""
        return {(finding["kind"], finding["where"]) for finding in self.told["findings"]}


async def packed(
    ledger: Ledger, file: Path, *, kept: tuple[str, ...] = (), keys: tuple[VerifierKey, ...] = (SIGNER.verifier,),
    **asked: Any,
) -> Made:  # fmt: skip
    """Writes a pack of as100."""
    engine = connect(ledger.store.url, name="pack test", pool_size=2, statement_timeout=60)
    asking = PackAsked.model_validate({"tenant": "as100"} | asked)
    try:
        with file.open("wb") as out:

            async def write(data: bytes) -> None:
                out.write(data)

            return await make_pack(Making(ledger.store, engine, asking, AUDITOR, keys, kept), write)
    finally:
        await engine.dispose()


def files_of(pack: Path) -> Files:
    """All files of a pack."""
    with zipfile.ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(pack: Path, files: Files, *, mended: bool = False) -> None:
    """Packs them again. `mended`: the manifest says what they are now, as a careful forger would have it."""
    if mended:
        manifest = json.loads(files["manifest.json"])
        for name, data in files.items():
            if name in manifest["files"]:
                fact = manifest["files"][name]
                fact |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
                if "rows" in fact:
                    fact["rows"] = data.count(b"\n") - name.endswith(".csv")
        entries = manifest["files"]["entries.jsonl"]
        manifest |= {"rows": entries["rows"], "sha256": entries["sha256"]}
        files = files | {"manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def verified(folder: Path, *arguments: str, python: str = sys.executable) -> Verdict:
    """Runs the verifier that came in pack.zip, in that folder, with nothing but Python."""
    if not (folder / "verify.py").exists():
        with zipfile.ZipFile(folder / "pack.zip") as archive:
            archive.extract("verify.py", folder)
    command = [python, "-I", "-S", "verify.py", *(arguments or ("pack.zip",))]
    done = subprocess.run(
        command, cwd=folder, env={}, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60
    )
    assert "Traceback" not in done.stderr, done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout) if "--json" in arguments else {}
    return Verdict(done.returncode, done.stdout + done.stderr, told)
