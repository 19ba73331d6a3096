"""Rows in the binary form of COPY, which Postgres reads with the least work (PostgreSQL, COPY, "Binary Format")."""

from collections.abc import Iterable
from struct import Struct

_int = Struct("!i").pack
_bigint = Struct("!iq").pack
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_MICROSECONDS_TO_2000 = 946_684_800_000_000

NULL = b"\xff\xff\xff\xff"
"""The field that holds nothing."""
UUID_NEXT = _int(16)
"""Goes before the 16 bytes of a uuid."""
TIME = _bigint(8, 2**63 - 2)
"""Stands for the time until the rows are written. No row holds it otherwise: it is no time that Postgres knows, its
bytes are no UTF-8, and for random ones to be the same takes 96 bits of chance."""


def row(fields: int) -> bytes:
    """Begins a row of so many fields."""
    return Struct("!h").pack(fields)


def text_field(value: str) -> bytes:
    """Text without NUL, which Postgres does not keep."""
    data = value.encode()
    return _int(len(data)) + data


def bytes_field(value: bytes) -> bytes:
    """A bytea; also text that is UTF-8 already."""
    return _int(len(value)) + value


def bigint_field(value: int) -> bytes:
    """A bigint."""
    return _bigint(8, value)


def whole(rows: Iterable[bytes | memoryview], microseconds: int) -> memoryview:
    """All that COPY reads, at that time since 1970. A view, because asyncpg takes bytes for a path."""
    time = bigint_field(microseconds - _MICROSECONDS_TO_2000)
    return memoryview(_HEADER + b"".join(rows).replace(TIME, time) + _TRAILER)


def binary(rows: Iterable[bytes]) -> memoryview:
    """The same for rows that say their times themselves, or have none."""
    return memoryview(_HEADER + b"".join(rows) + _TRAILER)
