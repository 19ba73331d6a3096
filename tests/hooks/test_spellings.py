"""A secret is cut however it is written, and nothing else is."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable

import httpx
import pytest

from hooks.spellings import cutting, spellings

SECRET = "P@ss w\"rd\\1é'&<%/+~🔑"


def _parameter(secret: str) -> str:
    return str(httpx.URL("https://desk.example/set", params={"password": secret})).partition("password=")[2]


def _in_path(secret: str) -> str:
    return str(httpx.URL(f"https://desk.example/set/{secret}")).partition("/set/")[2]


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "%20": lambda s: urllib.parse.quote(s, safe=""),
    "+": urllib.parse.quote_plus,
    "hex in small letters": lambda s: re.sub(
        "%..", lambda found: found[0].lower(), urllib.parse.quote_plus(s)
    ),
    "a parameter": _parameter,
    "in a path": _in_path,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON in UTF-8": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "JSON in an address": lambda s: urllib.parse.quote(json.dumps(s)[1:-1]),
    "repr": lambda s: repr(s)[1:-1],
    "repr beside both quotation marks": lambda s: repr(f"'\"{s}")[4:-1],
    "repr of octets": lambda s: repr(s.encode())[2:-1],
    "repr of JSON": lambda s: repr(json.dumps(s).encode())[3:-2],
    "a KeyError": lambda s: str(KeyError(s))[1:-1],
    "ascii": lambda s: ascii(s)[1:-1],
    "HTML": html.escape,
    "HTML without quotation marks": lambda s: html.escape(s, quote=False),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("secret", [SECRET, "hunter2-fake", 'P@ss w"rd\\1'])
def test_it_is_cut_however_it_is_written(how: str, secret: str) -> None:
    write = WRITTEN[how]
    assert cutting([secret])(f"before {write(secret)}, after") == "before [cut], after"


@pytest.mark.parametrize("login", ["a", "ab", "abc"])
def test_of_a_login_with_a_password_in_base64_nothing_is_left(login: str) -> None:
    coded = base64.b64encode(f"{login}:{SECRET}!!".encode()).decode()
    before, cut, after = cutting([SECRET])(coded).partition("[cut]")
    assert cut
    assert len(before) * 6 <= len(f"{login}:") * 8, "six bits a character: only the login's"
    assert len(after.rstrip("=")) * 6 <= len("!!") * 8


def test_of_several_the_longest_goes_first_and_leaves_no_part() -> None:
    assert cutting(["hunter2", "hunter2-fake"])("hunter2-fake and hunter2") == "[cut] and [cut]"


@pytest.mark.parametrize("secret", ["a", " ", '"', "é", "x" * 10_000, "\ud800"])
def test_short_long_and_broken_ones_are_cut_too(secret: str) -> None:
    assert cutting([secret])(f"1{secret}2{json.dumps(secret)[1:-1]}3") == "1[cut]2[cut]3"


def test_no_spelling_is_empty_and_a_plain_one_has_few() -> None:
    assert "" not in spellings("a") | spellings(SECRET)
    assert len(spellings("hunter2-fake")) < 10
    assert cutting([SECRET])("nothing of the kind") == "nothing of the kind"
