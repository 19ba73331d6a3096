"""Sets a user's attributes: gives a changed copy, and shares what did not change."""

from collections.abc import Mapping
from typing import Any, cast

from rules.normal import value_at

_WRITTEN_BY_THE_PLATFORM = {"version", "updated", "updatedBy"}


def is_empty(user: Mapping[str, Any], path: str) -> bool:
    """Whether there is nothing at the path: the platform leaves out what is empty, or sends null or ""."""
    return value_at(user, path) in (None, "", [], {})


def same(user: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether nothing differs but what the platform writes itself on every change."""
    keys = (user.keys() | other.keys()) - _WRITTEN_BY_THE_PLATFORM
    return all(
        value_at(user, k) == value_at(other, k) or (is_empty(user, k) and is_empty(other, k)) for k in keys
    )


def with_value(user: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path. A list of {"name": …, "value": …} is set like an object."""
    return cast("dict[str, Any]", _set(user, path.split("."), value))


def _set(whole: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(whole, list):
        pairs: list[Any] = [
            dict(cast("dict[str, Any]", p)) if isinstance(p, dict) else p for p in cast("list[Any]", whole)
        ]
        for pair in (cast("dict[str, Any]", p) for p in pairs if isinstance(p, dict)):
            if pair.get("name") == first:
                pair["value"] = _set(pair.get("value"), rest, value)
                return pairs
        return [*pairs, {"name": first, "value": _set(None, rest, value)}]
    inner: dict[str, Any] = dict(cast("Mapping[str, Any]", whole)) if isinstance(whole, Mapping) else {}
    inner[first] = _set(inner.get(first), rest, value)
    return inner
