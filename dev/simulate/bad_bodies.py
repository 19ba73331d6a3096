"""Bad bodies, each with a sentinel that no answer may echo."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

_LARGE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BadBody:
    """What is sent in place of a body; `headers` go over the usual ones."""

    kind: str
    body: bytes
    sentinel: str
    headers: dict[str, str]


def spoil(random: Random, request: dict[str, Any]) -> BadBody:
    """One of the bad bodies of CASES rows 1 and 26, made from a good hook's request."""
    sentinel = f"sentinel{random.getrandbits(64):016x}"
    kind = random.choice(list(_WAYS))
    marked = {**request, "user": {**request["user"], "firstName": sentinel}}
    body, headers = _WAYS[kind](marked, sentinel)
    return BadBody(kind, body, sentinel, headers)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _whole(request: dict[str, Any]) -> bytes:
    return _json({"request": request})


def _deep(request: dict[str, Any], _sentinel: str) -> bytes:
    nest: Any = None
    for _ in range(200):
        nest = {"more": nest}
    return _whole({**request, "user": {**request["user"], "attributes": nest}})


def _with_login(request: dict[str, Any], login: Any) -> bytes:
    user = {key: value for key, value in request["user"].items() if key != "login"}
    return _whole({**request, "user": user if login is None else {**user, "login": login}})


def _plain(make: Callable[[dict[str, Any], str], bytes], **headers: str) -> "_Way":
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, sentinel: (make(request, sentinel), named)


_Way = Callable[[dict[str, Any], str], tuple[bytes, dict[str, str]]]

_WAYS: dict[str, _Way] = {
    "cut short": _plain(lambda request, _: _whole(request)[:-9]),
    "key twice": _plain(lambda request, _: b'{"request":{},' + _whole(request)[1:]),
    "NaN": _plain(lambda request, _: _whole(request)[:-2] + b',"level":NaN}}'),
    "byte order mark": _plain(lambda request, _: b"\xef\xbb\xbf" + _whole(request)),
    "not UTF-8": _plain(lambda request, _: _whole(request)[:-2] + b',"name":"Jos\xe9"}}'),
    "too deep": _plain(_deep),
    "no user": _plain(lambda _, sentinel: _whole({"passwordText": sentinel})),
    "no login": _plain(lambda request, _: _with_login(request, None)),
    "login an object": _plain(lambda request, sentinel: _with_login(request, {"name": sentinel})),
    "no request": _plain(lambda _, sentinel: _json({"user": {"login": sentinel}})),
    "an array": _plain(lambda request, _: _json([request])),
    "plain text": _plain(lambda request, _: _whole(request), Content_Type="text/plain"),
    "gzip": _plain(lambda request, _: gzip.compress(_whole(request)), Content_Encoding="gzip"),
    "too large": _plain(lambda request, _: _whole({**request, "form": "x" * _LARGE})),
}
