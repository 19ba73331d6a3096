"""The list of erasures outside the store: one signed line each, chained by hash; and what the store knows of it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.certificate import Read, open_certificate, read_text
from ledger.note import NoteError, Signer, VerifierKey, open_note

_FIRST = "hookledger/erasures/v1"
NOTHING = bytes(32)
"""The hash before the first line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the list: its number, from 1, and the hash of the line that has it."""

    number: int
    hash: bytes


Publish = Callable[[str], Awaitable[Place | None]]
"""Puts a certificate on the list, for good; None if there is no list."""


@dataclass(frozen=True, slots=True)
class Line:
    """One erasure on the list."""

    number: int
    previous: bytes
    certificate: str
    read: Read
    hash: bytes


def write_line(number: int, previous: bytes, certificate: str, signer: Signer) -> str:
    """A line of JSON, without its end."""
    signed = signer.sign(_signed(number, previous, certificate))
    signature = signed.rpartition("\n\n")[2].removesuffix("\n")
    said = {
        "number": number,
        "previous": previous.hex(),
        "certificate": certificate,
        "signature": signature,
    }
    return json.dumps(said, ensure_ascii=False)


def hash_line(line: str) -> bytes:
    """By which the next line names it."""
    return sha256(line.removesuffix("\n").encode()).digest()


def read_line(line: str, number: int, keys: Sequence[VerifierKey]) -> Line:
    """A line that stands at that number. Raises NoteError if a key of ours has not signed it, there and so.

    Without any key nothing is verified: enough to see that something is there, never to act on it.
    """
    try:
        said = cast("dict[str, Any]", json.loads(line))
        previous = bytes.fromhex(said["previous"])
        certificate, signature = str(said["certificate"]), str(said["signature"])
        if said["number"] != number:
            raise NoteError(f"it says that it is number {said['number']}")
    except (ValueError, KeyError, TypeError):
        raise NoteError("it is no line of a list of erasures") from None
    if keys:
        open_note(f"{_signed(number, previous, certificate)}\n{signature}\n", keys)
        read = open_certificate(certificate, keys)
    else:
        read = read_text(certificate.rpartition("\n\n")[0] + "\n")
    return Line(number, previous, certificate, read, hash_line(line))


def _signed(number: int, previous: bytes, certificate: str) -> str:
    return f"{_FIRST}\n{number}\n{previous.hex()}\n{sha256(certificate.encode()).hexdigest()}\n"


# The list is the whole installation's: its numbers run over all tenants.
_HEAD = text("SELECT number, hash FROM erasures WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1")
_FIRST_LACKING = text("""
    SELECT coalesce(min(x.number), 0) + 1
      FROM (SELECT 0::bigint AS number UNION ALL SELECT number FROM erasures WHERE number IS NOT NULL) AS x
     WHERE NOT EXISTS (SELECT 1 FROM erasures y WHERE y.number = x.number + 1)
""")
_HAS = text("SELECT EXISTS (SELECT 1 FROM erasures WHERE number = :number)")
_KEPT = text("SELECT certificate FROM erasures WHERE id = :id")
_TENANT_OF = text("SELECT tenant FROM erasures WHERE id = :id")
_INSERT = text("""
    INSERT INTO erasures (id, tenant, subject, number, hash, certificate, at, replayed_at)
    VALUES (:id, :tenant, :subject, :number, :hash, :certificate, :at, CASE WHEN :replayed THEN clock_timestamp() END)
""")


async def head(connection: AsyncConnection) -> Place | None:
    """The last line that the store knows of."""
    row = (await connection.execute(_HEAD)).first()
    return Place(row.number, bytes(row.hash)) if row else None


async def first_lacking(connection: AsyncConnection) -> int:
    """The first number that the store does not have."""
    return int((await connection.execute(_FIRST_LACKING)).scalar_one())


async def has_number(connection: AsyncConnection, number: int) -> bool:
    """Whether the store has that line's erasure."""
    return bool((await connection.execute(_HAS, {"number": number})).scalar_one())


async def kept_certificate(connection: AsyncConnection, id_: UUID) -> str | None:
    """The certificate of that erasure."""
    row = (await connection.execute(_KEPT, {"id": id_})).first()
    return row.certificate if row else None


async def tenant_of_certificate(connection: AsyncConnection, id_: UUID) -> str | None:
    """Whose it is."""
    return (await connection.execute(_TENANT_OF, {"id": id_})).scalar_one_or_none()


async def keep(
    connection: AsyncConnection, read: Read, certificate: str, place: Place | None, *, replayed: bool
) -> None:
    """Remembers an erasure."""
    values = {
        "id": read.id,
        "tenant": read.tenant,
        "subject": read.person,
        "number": place.number if place else None,
        "hash": place.hash if place else None,
        "certificate": certificate,
        "at": read.at,
        "replayed": replayed,
    }
    await connection.execute(_INSERT, values)
