"""Reads a request's body strictly: bounded, JSON only, no duplicate names, no NaN, bounded depth (RFC 8259, RFC 7493)."""

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive

from api.problems import AGAIN_SOON, Problem
from hooks.hook import Json


class _Unfit(ValueError):
    """JSON that is not taken; the text is ours."""


def _object(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Unfit("a name stands twice in one object")
    return made


def _constant(_: str) -> Any:
    raise _Unfit("NaN and Infinity are not JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Unfit("a number is too large")
    return number


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


SMALL = 65_536
"""Octets of a body that every caller may have. The platform's have some thousand."""
_LARGE_ONES = 32 * 1024 * 1024
"""Octets of all larger bodies together."""


class Shelf:
    """Places for large bodies, of all calls of a process: read as objects, each needs many times its octets."""

    def __init__(self, most: int) -> None:
        self.free = max(1, _LARGE_ONES // most)

    def take(self) -> None:
        """Raises Problem if no place is free."""
        if not self.free:
            words = "So many large bodies are under way that this one was not read."
            raise Problem(503, "too_many_large", words, AGAIN_SOON)
        self.free -= 1

    def give_back(self) -> None:
        """When the call is over."""
        self.free += 1


async def read(
    headers: Mapping[bytes, bytes], receive: Receive, most: int, shelf: Shelf | None = None
) -> bytes:
    """The raw body. Raises Problem: 413, 415, 503, or 400 for a body cut short.

    One that is larger than SMALL has a place on the shelf, which the caller gives back.
    """
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(415, "not_json", "The body must be sent as application/json.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Problem(415, "encoded", "The body must be sent without a content encoding.")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    return await _collect(receive, most, shelf)


async def _collect(receive: Receive, most: int, shelf: Shelf | None) -> bytes:
    body, shelved = b"", None
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "cut_short", "The connection ended before the body did.")
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            if len(body) > SMALL and shelf is not None and shelved is None:
                shelf.take()
                shelved = shelf
            if not message.get("more_body"):
                shelved = None  # the caller's from now on
                return body
    finally:
        if shelved is not None:
            shelved.give_back()


def _too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"The body is larger than {most} bytes.")


def parse(raw: bytes) -> Json:
    """The body's object. Raises Problem 400, which says what is wrong and never what was sent."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "not_utf8", "The body is not valid UTF-8.") from None
    if text.startswith("\ufeff"):
        raise Problem(400, "byte_order_mark", "The body begins with a byte order mark.")
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as wrong:
        words = f"The body is not valid JSON (line {wrong.lineno}, column {wrong.colno})."
        raise Problem(400, "bad_json", words) from None
    except _Unfit as wrong:
        raise Problem(400, "bad_json", f"The body is not acceptable JSON: {wrong}.") from None
    except ValueError:  # Python's own limit for the digits of a number
        raise Problem(400, "bad_json", "The body is not acceptable JSON: a number is too long.") from None
    except RecursionError:
        raise too_deep() from None
    if not isinstance(value, dict):
        raise Problem(400, "not_an_object", "The body must be a JSON object.")
    if "\\u" in text:
        _refuse_half_characters(value)  # pyright: ignore[reportUnknownArgumentType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _refuse_half_characters(value: Json) -> None:
    """Half of a surrogate pair can be escaped in JSON, but neither stored nor answered (RFC 7493, 2.1)."""
    try:
        _encoder.encode(value).encode()
    except UnicodeEncodeError:
        raise Problem(400, "bad_json", "The body holds half of a surrogate pair.") from None
    except RecursionError:
        raise too_deep() from None


def too_deep() -> Problem:
    """The problem of a body nested beyond the limit."""
    return Problem(400, "too_deep", "The body is nested too deeply.")


def write(value: Json) -> str:
    """Compact JSON, characters as they are."""
    return _encoder.encode(value)
