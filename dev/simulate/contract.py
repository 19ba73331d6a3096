"""Checks answers against the platform's page and CONTRACT.md part A, and says what is wrong by shape only."""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from dev.simulate.options import Shape
from dev.simulate.stories import EVENTS, USER_BACK, VALIDATES
from dev.simulate.wire import Answer

UNAVAILABLE = "ValidationUnavailable"
"""A validate turned away because the store is out of reach (DESIGN §6)."""

_CLASH = re.compile(r"[A-Z][A-Za-z]{1,30}AlreadyExist")
_OUR_WORDS = frozenset({"request", "response", "data", "error", "message", "mappedValue", "user", "detail"})
_REFUSALS = frozenset({400, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Flaw:
    """One breach: what was due and what came, without any value of the answer."""

    expected: str
    got: str


def check(hook: str, request: dict[str, Any], answer: Answer, shape: Shape = "data") -> Flaw | None:
    """What is wrong with the answer to a well-formed hook that must not be refused, or None."""
    if answer.status != 200:
        return Flaw("status 200", f"status {answer.status}")
    if answer.media_type != "application/json":
        return Flaw("application/json", media(answer))
    try:
        body = parse(answer.body)
    except ValueError:
        return Flaw("JSON with no key twice", "something else")
    if hook in USER_BACK:
        return _check_user(hook, request, body, shape)
    if hook == "policyMap":
        good = _keys(body, "response", "mappedValue") and isinstance(body["response"]["mappedValue"], str)
        return None if good else Flaw('{"response":{"mappedValue":string}}', outline(body))
    if hook == "runDeprovision":
        good = _keys(body, "response", "data") and isinstance(body["response"]["data"], bool)
        return None if good else Flaw('{"response":{"data":boolean}}', outline(body))
    return (
        None
        if hook in {"test", *EVENTS} and body == {"response": {}}
        else Flaw('{"response":{}}', outline(body))
    )


def refusal(answer: Answer) -> str | None:
    """The code of a well-formed refusal, `{"response":{"error":true,"message":code}}` with status 200."""
    if answer.status != 200 or answer.media_type != "application/json":
        return None
    try:
        body = parse(answer.body)
    except ValueError:
        return None
    if not _keys(body, "response", "error", "message") or body["response"]["error"] is not True:
        return None
    code: object = body["response"]["message"]
    return code if isinstance(code, str) else None


def check_problem(answer: Answer, sentinel: str) -> Flaw | None:
    """What is wrong with the answer to a bad body: a 4xx problem (RFC 9457) that echoes none of it."""
    expected = "a 4xx problem"
    if sentinel.encode() in answer.body or sentinel in answer.headers:
        return Flaw("no echo of a refused body", f"status {answer.status} that echoes it")
    if answer.status not in _REFUSALS:
        return Flaw(expected, f"status {answer.status}")
    if answer.media_type != "application/problem+json":
        return Flaw("application/problem+json", media(answer))
    try:
        body = parse(answer.body)
    except ValueError:
        return Flaw(expected, "a body that is not JSON")
    if not isinstance(body, dict):
        return Flaw("a problem object", outline(body))
    status = cast("dict[str, Any]", body).get("status", answer.status)
    return None if status == answer.status else Flaw("a problem that names its own status", "another status")


def media(answer: Answer) -> str:
    """The media type as it may be shown: only a short plain one is believed to be no one's data."""
    known = re.fullmatch(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}", answer.media_type)
    return answer.media_type if known else "no plain media type"


def parse(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no key twice, no NaN. Raises ValueError."""
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)


def outline(value: Any, depth: int = 0) -> str:
    """A value's shape, with only the contract's own words and codes in it."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value)
        if depth == 3 or not value.keys() <= _OUR_WORDS:
            return "{" + (f"{len(value)} keys" if value else "") + "}"
        return "{" + ",".join(f'"{key}":{outline(part, depth + 1)}' for key, part in value.items()) + "}"
    if isinstance(value, str):
        return f'"{value}"' if value == UNAVAILABLE or _CLASH.fullmatch(value) else "string"
    return _kind(value)


def difference(sent: Any, got: Any, path: str = "user") -> str | None:
    """Where `got` differs from `sent`, by the sent names; 1, 1.0 and true are three values."""
    if type(sent) is not type(got):
        return f"{path}: {_kind(sent)} became {_kind(got)}"
    if isinstance(sent, dict):
        return _different_objects(cast("dict[str, Any]", sent), cast("dict[str, Any]", got), path)
    if isinstance(sent, list):
        ours, theirs = cast("list[Any]", sent), cast("list[Any]", got)
        if len(ours) != len(theirs):
            return f"{path}: another length"
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next((d for n, (a, b) in pairs if (d := difference(a, b, f"{path}[{n}]"))), None)
    return None if sent == got else f"{path}: another value"


def _check_user(hook: str, request: dict[str, Any], body: Any, shape: Shape) -> Flaw | None:
    code = body["response"]["message"] if _keys(body, "response", "error", "message") else None
    if hook not in VALIDATES:
        shape = "data"
    elif code is not None:
        return Flaw("a pass", outline(body))
    if shape == "echo":
        good, due = _keys(body, "request"), '{"request":as sent}'
        found = difference(request, body["request"], "request") if good else None
    else:
        more = ("error",) if shape == "data+error" else ()
        good = _keys(body, "response", "data", *more) and (not more or body["response"]["error"] is False)
        due = '{"response":{' + ('"error":false,' if more else "") + '"data":user}}'
        found = difference(request["user"], body["response"]["data"]) if good else None
    if not good:
        return Flaw(due, outline(body))
    return Flaw("the user as sent", found) if found else None


def _different_objects(sent: dict[str, Any], got: dict[str, Any], path: str) -> str | None:
    for key, value in sent.items():
        if key not in got:
            return f"{path}.{key}: missing"
        if found := difference(value, got[key], f"{path}.{key}"):
            return found
    more = len(got) - len(sent)
    return f"{path}: {more} keys that were not sent" if more else None


def _keys(body: Any, top: str, *inner: str) -> bool:
    """Whether this is the body's one key, holding an object with exactly the inner ones, if any."""
    if not isinstance(body, dict):
        return False
    body = cast("dict[str, Any]", body)
    if body.keys() != {top}:
        return False
    if not inner:
        return True
    held: Any = body[top]
    return isinstance(held, dict) and cast("dict[str, Any]", held).keys() == set(inner)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(_name: str) -> Any:
    raise ValueError("NaN and infinities are not JSON")
