"""Signed notes and checkpoints as C2SP has them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), signed with Ed25519."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.tree import HASH
from settings.sealing import Seal, public_of, seed_of

LATER = "/restored/"
"""Parts a ledger's origin from what a restore adds to it: each line after a restore has a name of its own, and the same keys."""
_ED25519 = b"\x01"
"""The kind of signature."""
_DASH = "\N{EM DASH} "
"""Begins each line of a signature."""


class NoteError(Exception):
    """What was given is no note of ours; the text says what is wrong with it."""


class UnknownKey(NoteError):
    """No signature of it is by a key that we know."""


class ForgedNote(NoteError):
    """It names a key of ours, and that key has not signed this."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name under which it signs."""

    name: str
    key: bytes

    @property
    def digest(self) -> bytes:
        """The four bytes that begin each of its signatures."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def named(self, name: str) -> "VerifierKey":
        """The same key under the name of another line."""
        return VerifierKey(name, self.key)

    def __str__(self) -> str:
        return f"{self.name}+{self.digest.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether the signature is of this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def line_of(origin: str) -> str:
    """The origin as it is configured, without what a restore has added."""
    return origin.partition(LATER)[0]


class Signer:
    """A secret key in use."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, self._key.public_key().public_bytes_raw())

    def named(self, name: str) -> "Signer":
        """The same key under the name of another line."""
        return Signer(name, self._key.private_bytes_raw())

    def sign(self, text: str) -> str:
        """The note. `text` ends with a line's end."""
        signature = self.verifier.digest + self._key.sign(text.encode())
        return f"{text}\n{_DASH}{self.verifier.name} {base64.b64encode(signature).decode()}\n"


def signer_of(seal: Seal | None) -> Signer | None:
    """The signer in use, if this process is given its key."""
    if seal is None or seal.active.secret is None:
        return None
    return Signer(seal.origin, seed_of(seal.active.secret))


def verifiers_of(seal: Seal | None) -> list[VerifierKey]:
    """All keys that have ever signed, as far as they are configured."""
    found: dict[str, VerifierKey] = {}
    for key in seal.keys if seal else ():
        if seal and key.secret is not None:
            one = Signer(seal.origin, seed_of(key.secret)).verifier
            found[str(one)] = one
        if key.public is not None:
            one = VerifierKey(*public_of(key.public))
            found[str(one)] = one
    return list(found.values())


def open_note(note: str, keys: Iterable[VerifierKey]) -> str:
    """The text, if a key of these has signed it, also under the name of a line that a restore began. Signatures of
    others, such as witnesses, are passed over. Raises NoteError."""
    text, signatures = _parts(note)
    known = list(keys)
    signed = False
    for name, data in signatures:
        named = [
            key if key.name == name else key.named(name) for key in known if key.name in (name, line_of(name))
        ]
        key = next((key for key in named if key.digest == data[:4]), None)
        if key is None:
            continue
        if not key.has_signed(text, data[4:]):
            raise ForgedNote("its signature is not of this text")
        signed = True
    if not signed:
        ids = ", ".join(f"{name}+{data[:4].hex()}" for name, data in signatures)
        raise UnknownKey(f"it is signed by {ids}, which is no key of ledger.seal.keys")
    return text


def _parts(note: str) -> tuple[str, Sequence[tuple[str, bytes]]]:
    text, gap, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not gap or lines[-1] != "" or len(lines) < 2:
        raise NoteError("it is no signed note")
    found: list[tuple[str, bytes]] = []
    for line in lines[:-1]:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not line.startswith(_DASH) or not name or len(data) < 5:
            raise NoteError("a line of its signatures is none")
        found.append((name, data))
    return text + "\n", found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the tree: so many leaves have this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def checkpoint_of(text: str) -> Checkpoint:
    """What a note's text says. Raises NoteError."""
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    except (IndexError, ValueError):
        raise NoteError("it is no checkpoint") from None
    if not origin or str(size) != lines[1] or size < 0 or len(root) != HASH:
        raise NoteError("it is no checkpoint")
    return Checkpoint(origin, size, root)


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """A signed checkpoint. Raises NoteError."""
    return checkpoint_of(open_note(note, keys))
