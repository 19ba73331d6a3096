"""The certificate of an erasure: what is gone, what remains and why, which copies end when; a signed note of plain lines."""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from ledger.note import NoteError, Signer, VerifierKey, open_note

FIRST = "hookledger erasure certificate v1"
"""Its first line: no checkpoint begins so, which the same key signs."""
_NAME_TAG = b"hookledger/name/v1\x00"
_CODE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Removed:
    """So many of a class are gone."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Remains:
    """So many of a class stay, and why."""

    what: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Where what was erased may still be: until then at the latest, or as `words` say."""

    where: str
    until: datetime | None
    words: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """One erasure. `person` is a pseudonym; `names` are salted hashes of what the person was called."""

    id: UUID
    ledger: str
    tenant: str
    person: UUID
    names: tuple[str, ...]
    at: datetime
    actor: str
    code: str
    removed: tuple[Removed, ...]
    remains: tuple[Remains, ...]
    copies: tuple[Copy, ...]

    def text(self) -> str:
        """The note's text. One matter a line, `name: value`."""
        lines = [
            FIRST,
            f"ledger: {_line(self.ledger)}",
            f"certificate: {self.id}",
            f"tenant: {_line(self.tenant)}",
            f"person: {self.person}",
            *(f"name: {name}" for name in self.names),
            f"erased at: {self.at.isoformat()}",
            f"erased by: {_line(self.actor)}",
            f"reason: {_line(self.code)}",
            *(f"removed: {r.count} {r.what}" for r in self.removed),
            *(f"remains: {r.count} {r.what}; {r.why}" for r in self.remains),
            *(f"copy: {c.where}; {_until(c)}{c.words}" for c in self.copies),
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Read:
    """A certificate as it is read again: its lines in order, and what a replay needs of them."""

    id: UUID
    tenant: str
    person: UUID
    at: datetime
    names: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of all lines with that name."""
        return [value for other, value in self.lines if other == name]


def sign(certificate: Certificate, signer: Signer) -> str:
    """The note."""
    return signer.sign(certificate.text())


def open_certificate(note: str, keys: Iterable[VerifierKey]) -> Read:
    """What a signed certificate says. Raises NoteError."""
    return read_text(open_note(note, keys))


def read_text(text: str) -> Read:
    """The same of a text that nobody has checked. Raises NoteError."""
    first, *rest = text.removesuffix("\n").split("\n")
    pairs = tuple((name, value) for name, _, value in (line.partition(": ") for line in rest))
    said = dict(pairs) if first == FIRST else {}
    try:
        return Read(
            UUID(said["certificate"]),
            said["tenant"],
            UUID(said["person"]),
            datetime.fromisoformat(said["erased at"]),
            tuple(value for name, value in pairs if name == "name"),
            pairs,
        )
    except (KeyError, ValueError):
        raise NoteError("it is no certificate of an erasure") from None


def new_code() -> str:
    """128 random bits, to be given to the person: without them nobody can try names."""
    return base64.b32encode(os.urandom(_CODE_BYTES)).decode().rstrip("=").lower()


def hash_of(code: str, name: str) -> str:
    """What the certificate has of a name, which its login in normal form or platform id is."""
    return sha256(_NAME_TAG + code.strip().lower().encode() + b"\x00" + name.encode()).hexdigest()


def hashes_of(code: str, names: Sequence[str]) -> list[str]:
    """The same of all names, in an order that tells nothing."""
    return sorted({hash_of(code, name) for name in names})


def _until(copy: Copy) -> str:
    return f"until {copy.until.isoformat(timespec='seconds')}; " if copy.until else ""


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
