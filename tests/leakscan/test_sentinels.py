"""The look-out sees a sentinel however it is spelt, and nothing where there is none."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable
from functools import partial

import pytest

from leakscan.sentinels import Sentinels, find


def _base64(value: str, phase: int, code: Callable[[bytes], bytes]) -> bytes:
    return code(b"x" * phase + value.encode() + b"yy")


SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "JSON": lambda v: json.dumps({"a": v}).encode(),
    "JSON in JSON": lambda v: json.dumps(json.dumps(v)).encode(),
    "address": lambda v: urllib.parse.quote(v, safe="").encode(),
    "hex": lambda v: v.encode().hex().upper().encode(),
    "JSON in UTF-8": lambda v: json.dumps(v, ensure_ascii=False).encode(),
    "JSON in an address": lambda v: urllib.parse.quote(json.dumps(v)).encode(),
    "parameter": lambda v: urllib.parse.urlencode({"a": v}).encode(),
    "small hex in an address": lambda v: re.sub(
        "%..", lambda f: f[0].lower(), urllib.parse.quote(v)
    ).encode(),
    "repr": lambda v: repr(v).encode(),
    "repr of octets": lambda v: repr(v.encode()).encode(),
    "HTML": lambda v: html.escape(v).encode(),
    "UTF-16": lambda v: v.encode("utf-16-le"),
    **{f"base64 {p}": partial(_base64, phase=p, code=base64.b64encode) for p in range(3)},
    **{f"base64url {p}": partial(_base64, phase=p, code=base64.urlsafe_b64encode) for p in range(3)},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_seen(spelling: str) -> None:
    sentinels = Sentinels()
    values = [sentinels.secret("a"), sentinels.personal("b", "ड़ {} é@example.com")]
    for value, sentinel in zip(values, sentinels.known, strict=True):
        assert find(b"before " + SPELLINGS[spelling](value) + b" after", sentinels.known) == [sentinel.name]
    plain = sentinels.plain("c")
    assert find(b"before " + SPELLINGS[spelling](plain) + b" after", sentinels.known) == ["c"]
    assert find(
        values[0].replace("é", "\0").upper().encode().replace(b"\0", "é".encode()), sentinels.known
    ) == ["a"]
    assert find(b"nothing of the kind", sentinels.known) == []


def test_every_way_of_writing_changes_a_secret() -> None:
    """One that all of them leave as it is would be found, and cut, though only the plain one were known."""
    sentinels = Sentinels()
    value = sentinels.secret("a")
    written = {spelling: write(value) for spelling, write in SPELLINGS.items() if spelling != "plain"}
    assert [spelling for spelling, data in written.items() if value.encode() in data] == []


def test_sentinels_are_new_in_each_run_and_not_shown() -> None:
    one, two = Sentinels(), Sentinels()
    assert one.secret("a") != two.secret("a")
    assert one.known[0].value not in repr(one)
