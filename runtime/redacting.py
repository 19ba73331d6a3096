"""The last wall before the log: cuts what looks like a secret or a person's address, wherever it stands."""

import re
from typing import Any, cast

from hooks.secrets import CUT, names_secret

_SIGNS = ("eyJ", "earer ", "EARER ", "hlk_", "@", "=", "':", "' :", '":', '" :')
"""Most lines hold none of these, and are not looked at any closer."""
# Every repetition is bounded: a long line must not take long.
_SHAPES = re.compile(
    r"(?P<address>\b[A-Za-z][A-Za-z0-9+.-]{1,30}://)[^\s/@]{1,256}@"
    r"|eyJ[A-Za-z0-9_=-]{4,}(?:\.[A-Za-z0-9_=-]*){0,4}"
    r"|(?P<bearer>\b[Bb](?:earer|EARER)\s{1,4})[^\s\"']+"
    r"|\bhlk_[A-Za-z0-9_-]{8,}"
    r"|(?<![\w.+-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)
_NAMED = re.compile(
    r"(?P<name>\b[\w-]{1,64})(?P<between>[\"']?\s{0,4}=\s{0,4}|[\"']\s{0,4}:\s{0,4})"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}\]]+)"
)


def redact(text: str) -> str:
    """The text without tokens, keys, passwords in addresses, e-mail addresses, and values of secret names."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return _SHAPES.sub(_cut_shape, _NAMED.sub(_cut_named, text))


def redact_value(value: Any) -> Any:
    """The same at any depth, by names too."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        found = cast("dict[Any, Any]", value)
        return {k: CUT if names_secret(k) else redact_value(inner) for k, inner in found.items()}
    if isinstance(value, list | tuple):
        parts = cast("list[Any]", value)
        return [redact_value(inner) for inner in parts]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def _cut_shape(found: re.Match[str]) -> str:
    if found["address"]:
        return f"{found['address']}{CUT}@"
    return f"{found['bearer'] or ''}{CUT}"


def _cut_named(found: re.Match[str]) -> str:
    if not names_secret(found["name"]):
        return found[0]
    return f"{found['name']}{found['between']}{CUT}"
