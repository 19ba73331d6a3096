"""Cuts secrets out of what is kept, never out of what is answered (DESIGN §3.4)."""

import re
from functools import lru_cache
from typing import Any

CUT = "[cut]"
"""Stands where a secret stood."""

_SECRET = re.compile(
    r"pass(word|wd|phrase|code)|pwd|secret|token|securityquestion|securityanswer|credential|private_?key|api_?key"
    r"|^otp$|^pin$|authorization",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"count|chang|expir|last|force|never|initial|fail|creat|modif|time|date|polic|attempt|lock|must|age|enabled",
    re.IGNORECASE,
)
_HARMLESS_TEXT = re.compile(r"true|false|\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE)


class TooDeep(ValueError):
    """The value is nested more deeply than allowed."""


@lru_cache(maxsize=4096)
def _class_of(key: str) -> int:
    """0: an ordinary name; 1: names a secret; 2: tells about a secret (its age, count, flags)."""
    if not _SECRET.search(key):
        return 0
    return 2 if _ABOUT.search(key) else 1


def names_secret(key: Any) -> bool:
    """Whether a name, such as a policyMap's target attribute, is that of a secret."""
    return isinstance(key, str) and _class_of(key[:256]) == 1


def _is_secret(key: str, value: Any) -> bool:
    kind = _class_of(key) if len(key) <= 256 else 1
    if kind == 0 or value is None or value is True or value is False or value in ("", {}, []):
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
        if _is_secret(key, inner):
            changed[key] = CUT
        elif isinstance(inner, dict | list):
            kept = cut(inner, max_depth - 1)
            if kept is not inner:
                changed[key] = kept
    if any(names_secret(value.get(name)) for name in _NAMING):
        changed |= {key: CUT for key in _VALUES if value.get(key) not in (None, "", CUT)}
    return {**value, **changed} if changed else value


_NAMING = ("name", "key", "attribute", "field", "targetAttribute", "external", "internal", "cymmetrifield")
_VALUES = ("value", "values", "val", "defaultValue", "formVeriable", "mappedValue")
