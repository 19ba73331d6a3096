"""Signed notes and checkpoints: a published one is read, ours are read again, and nothing else is."""

import os

import pytest

from ledger.note import (
    Checkpoint,
    ForgedNote,
    NoteError,
    Signer,
    UnknownKey,
    VerifierKey,
    checkpoint_of,
    open_checkpoint,
    open_note,
    signer_of,
    verifiers_of,
)
from settings.sealing import Seal, SealKey, public_of

PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""From the documentation of golang.org/x/mod/sumdb/note."""
SEED = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def test_a_published_note_is_read() -> None:
    key = VerifierKey(*public_of(PUBLISHED_KEY))

    assert str(key) == PUBLISHED_KEY
    assert open_note(PUBLISHED, [key]).startswith("If you think cryptography")


def test_ours_are_read_again() -> None:
    signer = Signer("example.com/ledger", os.urandom(32))
    head = Checkpoint("example.com/ledger", 7, bytes(range(32)))

    assert open_checkpoint(signer.sign(head.text()), [signer.verifier]) == head
    assert VerifierKey(*public_of(str(signer.verifier))) == signer.verifier


def test_a_changed_note_is_forged_and_another_s_is_of_an_unknown_key() -> None:
    signer, other = (Signer("example.com/ledger", os.urandom(32)) for _ in range(2))
    note = signer.sign(Checkpoint("example.com/ledger", 7, bytes(32)).text())

    with pytest.raises(ForgedNote):
        open_note(note.replace("\n7\n", "\n8\n"), [signer.verifier])
    with pytest.raises(UnknownKey, match=other.verifier.digest.hex()):
        open_note(other.sign("text\n"), [signer.verifier])


def test_signatures_of_witnesses_are_passed_over() -> None:
    signer, witness = Signer("example.com/ledger", os.urandom(32)), Signer("witness.example", os.urandom(32))
    note = signer.sign("text\n") + witness.sign("text\n").rpartition("\n\n")[2]

    assert open_note(note, [signer.verifier]) == "text\n"
    assert open_note(note, [witness.verifier]) == "text\n"


@pytest.mark.parametrize(
    "note", ["", "text\n", "text\n\n", "text\n\n— name\n", "text\n\nname AAAAAAAA\n", "a\n\n— n !\n"]
)
def test_what_is_no_note_is_called_so(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, [])


@pytest.mark.parametrize(
    "text", ["", "o\n1\n", "o\n01\nAAAA\n", "o\n-1\nAAAA\n", "o\nx\nAAAA\n", "o\n1\nAAAA\n", "\n1\nAAAA\n"]
)
def test_what_is_no_checkpoint_is_called_so(text: str) -> None:
    with pytest.raises(NoteError):
        checkpoint_of(text)


def test_keys_are_rotated_by_configuration() -> None:
    old = Signer("example.com/ledger", os.urandom(32)).verifier
    keys = (SealKey(name="old", public=str(old)), SealKey(name="new", secret=SEED))
    seal = Seal(origin="example.com/ledger", keys=keys, sign_with="new")

    signer = signer_of(seal)
    assert signer is not None
    assert signer.verifier.key == Signer("x", bytes(32)).verifier.key
    assert {str(key) for key in verifiers_of(seal)} == {str(old), str(signer.verifier)}


def test_a_process_without_the_secret_verifies_and_does_not_sign() -> None:
    public = str(Signer("example.com/ledger", bytes(32)).verifier)
    seal = Seal(origin="example.com/ledger", keys=(SealKey(name="only", public=public),))

    assert signer_of(seal) is None
    assert [str(key) for key in verifiers_of(seal)] == [public]
    assert signer_of(None) is None
    assert verifiers_of(None) == []
