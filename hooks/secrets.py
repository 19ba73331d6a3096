"""Cuts secrets out of what is kept, never out of what is answered (DESIGN §3.4)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

CUT = "[cut]"
"""Stands where a secret stood."""

_SECRET = re.compile(
    r"pass(word|wd|phrase|code)|pwd|secret(?!ar)|token|securityquestion|securityanswer|credential|private_?key|api_?key"
    r"|^otp$|^pin$|authorization",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"count|chang|expir|last|force|never|initial|fail|creat|modif|time|date|polic|attempt|lock|must|age|enabled",
    re.IGNORECASE,
)
_HARMLESS_TEXT = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)
_NO_SECRET: tuple[Any, ...] = ("", {}, [], "true", "false")


class TooDeep(ValueError):
    """The value is nested more deeply than allowed."""


@lru_cache(maxsize=4096)
def _class_of(key: str) -> int:
    """0: an ordinary name; 1: names a secret; 2: tells about a secret (its age, count, flags).

    What it tells stands behind the secret: `passwordAge` is a number, `initialPassword` is one to log in with.
    """
    found = list(_SECRET.finditer(key))
    if not found:
        return 0
    return 2 if _ABOUT.search(key, found[-1].end()) else 1


def names_secret(key: Any) -> bool:
    """Whether a name, such as a policyMap's target attribute, is that of a secret."""
    return isinstance(key, str) and _class_of(key[:_LONGEST_NAME]) == 1


def _is_secret(kind: int, value: Any) -> bool:
    if value is None or value is True or value is False or value in _NO_SECRET:
        return False
    if kind == 1:
        return True
    return not (
        isinstance(value, int | float) or (isinstance(value, str) and _HARMLESS_TEXT.fullmatch(value))
    )


def cut(value: Any, max_depth: int) -> Any:
    """A copy without secrets; parts without any are shared with the original. Raises TooDeep."""
    if isinstance(value, dict):
        return _cut_object(value, max_depth)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        if max_depth <= 0:
            raise TooDeep
        parts = [cut(v, max_depth - 1) if isinstance(v, dict | list) else v for v in value]  # pyright: ignore[reportUnknownVariableType]
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return value


def _cut_object(value: dict[str, Any], max_depth: int) -> dict[str, Any]:
    if max_depth <= 0:
        raise TooDeep
    changed: dict[str, Any] = {}
    for key, inner in value.items():
        kind = _class_of(key) if len(key) <= _LONGEST_NAME else 1
        if kind and _is_secret(kind, inner):
            changed[key] = CUT
        elif isinstance(inner, dict | list):
            kept = cut(inner, max_depth - 1)
            if kept is not inner:
                changed[key] = kept
    if not _VALUES.isdisjoint(value) and any(names_secret(value.get(name)) for name in _NAMING):
        changed |= {key: CUT for key in _VALUES if value.get(key) not in (None, "", CUT)}
    return {**value, **changed} if changed else value


_LONGEST_NAME = 256
"""Characters; a longer name is taken for a secret's, so that the cache of names stays small."""
_NAMING = ("name", "key", "attribute", "field", "targetAttribute", "external", "internal", "cymmetrifield")
_VALUES = frozenset({"value", "values", "val", "defaultValue", "formVeriable", "mappedValue"})


def ordinary(names: Iterable[str]) -> bool:
    """Whether no secret can be where all names are among these and all values are text: then nothing need be cut."""
    return all(_class_of(name[:_LONGEST_NAME]) == 0 and name not in _VALUES for name in names)
