"""The certificate of an erasure: what it says is read again, names are hashed, and a program not ours opens it."""

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from ledger.certificate import (
    Certificate,
    Copy,
    Remains,
    Removed,
    hash_of,
    hashes_of,
    new_code,
    open_certificate,
    read_text,
    sign,
)
from ledger.note import NoteError, Signer, checkpoint_of
from tests.ledger.test_sumdb import SOURCE

SIGNER = Signer("example.com/ledger", bytes(range(32)))
AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
CODE = new_code()
CERTIFICATE = Certificate(
    id=UUID(int=1),
    ledger="example.com/ledger",
    tenant="as100",
    person=UUID(int=2),
    names=tuple(hashes_of(CODE, ["asha", "17"])),
    at=AT,
    actor="os:tester",
    code="request",
    removed=(Removed("bodies", 3),),
    remains=(Remains("entries", 4, "they are evidence"),),
    copies=(Copy("the store's backups", AT, "as configured"), Copy("replicas", None, "nobody has said")),
)


def test_it_is_read_as_it_was_signed() -> None:
    read = open_certificate(sign(CERTIFICATE, SIGNER), [SIGNER.verifier])

    assert (read.id, read.tenant, read.person, read.at) == (UUID(int=1), "as100", UUID(int=2), AT)
    assert read.names == CERTIFICATE.names
    assert read.all("removed") == ["3 bodies"]
    assert read.all("remains") == ["4 entries; they are evidence"]
    assert read.all("copy") == [
        "the store's backups; until 2026-11-25T10:00:00+00:00; as configured",
        "replicas; nobody has said",
    ]


def test_an_actor_with_a_line_s_end_adds_no_line() -> None:
    text = replace(CERTIFICATE, actor="x\nremoved: 9 bodies\u2028").text()

    assert read_text(text).all("removed") == ["3 bodies"]


def test_a_changed_one_is_refused() -> None:
    note = sign(CERTIFICATE, SIGNER).replace("3 bodies", "4 bodies")

    with pytest.raises(NoteError, match="not of this text"):
        open_certificate(note, [SIGNER.verifier])


def test_neither_a_checkpoint_nor_a_certificate_is_taken_for_the_other() -> None:
    with pytest.raises(NoteError, match="no checkpoint"):
        checkpoint_of(CERTIFICATE.text())
    with pytest.raises(NoteError, match="no certificate"):
        read_text("example.com/ledger\n7\nAAAA\n")


def test_a_name_is_told_by_the_code_alone() -> None:
    assert hash_of(CODE, "asha") in CERTIFICATE.names
    assert hash_of(f" {CODE.upper()}\n", "17") in CERTIFICATE.names
    assert hash_of(new_code(), "asha") not in CERTIFICATE.names
    assert hash_of(CODE, "Asha") not in CERTIFICATE.names
    assert len(CODE) == 26


def test_a_program_not_ours_opens_it(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no Go here (Debian: apt install golang)")
    program = tmp_path / "sumdb"
    offline = {
        "GOFLAGS": "-mod=vendor",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
    }
    subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, env=os.environ | offline, check=True)
    note = sign(CERTIFICATE, SIGNER)

    def opened(given: str) -> subprocess.CompletedProcess[str]:
        command = [program, "note", str(SIGNER.verifier)]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    done = opened(note)
    assert (done.returncode, done.stdout) == (0, CERTIFICATE.text())
    assert opened(note.replace("request", "mistake")).returncode == 1
