"""What is sealed of an entry: the RFC 8785 form of its named columns, made from a line of COPY."""

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, cast

import rfc8785

VERSION = 1
"""Of what is sealed now. An old one stays here as long as there are leaves of it."""

_NULL = rb"\N"
_MOMENT = len("2026-11-25 10:00:00.123456+00")
_ODD = bytes(b for b in range(32) if b != ord("\t")) + b'"\\'
"""What a line may hold that JSON or COPY writes otherwise."""
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

COLUMNS = (
    *("acting_for", "activity", "actor", "application", "at", "attempt", "code_version", "commitment"),
    *("delivery", "hook", "id", "outcome", "rules_hash", "seq", "subject", "tenant", "detail"),
)
"""Of leaf version 1, as they are read: `detail` last. All of an entry's columns."""
_NUMBERS = frozenset({"attempt", "id", "seq"})
_QUOTED = tuple(name not in _NUMBERS for name in COLUMNS[:-1])
_AT = COLUMNS.index("at")
_DETAIL = COLUMNS.index("hook")
"""Before which `detail` stands in the leaf: RFC 8785 sorts by name."""
_VERSION = COLUMNS.index("outcome")
"""Before which the version stands in it."""

GONE = b"\t".join([_NULL] * len(COLUMNS))
"""The line of an entry that is not there: no entry has nothing in all of its columns."""

_SELECTED = {"commitment": "encode({}.commitment, 'hex')"}


def _template() -> bytes:
    parts: list[str] = []
    for name in COLUMNS[:-1]:
        if name == "hook":
            parts.append('"detail":%b')
        if name == "outcome":
            parts.append(f'"leaf_version":{VERSION}')
        parts.append(f'"{name}":%b')
    return ("{" + ",".join(parts) + "}").encode()


_LEAF = _template()


def selected(table: str) -> str:
    """The columns as a query gives them to COPY, in a session that writes times as ISO in UTC."""
    return ", ".join(_SELECTED.get(name, f"{{}}.{name}").format(table) for name in COLUMNS)


def leaf(line: bytes) -> bytes:
    """The leaf of an entry, from its line of COPY in the text form (PostgreSQL, COPY, "Text Format"), `selected`."""
    head, _, detail = line.rpartition(b"\t")
    values = head.split(b"\t")
    values[_AT] = _moment(values[_AT])
    plain = head.replace(_NULL, b"")
    if len(plain.translate(None, _ODD)) == len(plain):
        written = [
            (b'"%b"' % v if quoted else v) if v != _NULL else b"null"
            for v, quoted in zip(values, _QUOTED, strict=True)
        ]
    else:
        written = [
            (_quoted(_unescaped(v)) if quoted else v) if v != _NULL else b"null"
            for v, quoted in zip(values, _QUOTED, strict=True)
        ]
    written.insert(_DETAIL, _detail(detail))
    return _LEAF % tuple(written)


def with_id(line: bytes, entry: bytes) -> bytes:
    """The same line as if the entry had another id."""
    values = line.split(b"\t")
    values[COLUMNS.index("id")] = entry
    return b"\t".join(values)


def _moment(at: bytes) -> bytes:
    """RFC 3339 with microseconds; what no clock of ours has written stays as it is."""
    if at[10:11] != b" " or at[-3:] != b"+00" or len(at) > _MOMENT:
        return at
    fraction = b"" if b"." in at else b"."
    return at[:10] + b"T" + (at[11:-3] + fraction).ljust(15, b"0") + b"Z"


@lru_cache(maxsize=4096)
def _detail(field: bytes) -> bytes:
    """A JSON object in its RFC 8785 form. Anything else, and numbers that a double does not give back, as text."""
    if field == _NULL:
        return b"null"
    text = _unescaped(field)
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number)
        if isinstance(value, dict):
            return rfc8785.dumps(cast("dict[str, Any]", value))
    except (_Inexact, rfc8785.CanonicalizationError, RecursionError):
        pass
    return _quoted(text)


class _Inexact(Exception):
    """A number that would be another one in JSON as RFC 8785 has it."""


def _number(text: str) -> float:
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise _Inexact
    return number


def _quoted(text: bytes) -> bytes:
    return encode_basestring(text.decode()).encode()


def _unescaped(field: bytes) -> bytes:
    if b"\\" not in field:
        return field
    first, *others = field.split(b"\\")
    pieces: list[bytes] = [first]
    whole: Sequence[bytes] = others
    place = 0
    while place < len(whole):
        piece = whole[place]
        if piece:
            pieces.append(_ESCAPED.get(piece[:1], piece[:1]) + piece[1:])
            place += 1
        else:
            # Two in a row stand for one, and what follows it is as it is.
            pieces.append(b"\\" + (whole[place + 1] if place + 1 < len(whole) else b""))
            place += 2
    return b"".join(pieces)
