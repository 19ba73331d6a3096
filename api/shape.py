"""What a hook's body must have, and what is read from it beside the hook's own keys."""

from api.problems import Problem
from hooks.hook import Hook, Json
from ledger.receive import Fact

_LONGEST = 256
"""Characters kept of ids and names that the platform sends: two of them fit an index row of Postgres."""
_MOST_VERSION = 1 << 62


def request_of(hook: Hook, whole: Json) -> Json:
    """The request object. Raises Problem 422, naming the missing key. Only what a hook needs is required."""
    inner = whole.get("request")
    if not hook.about_user:
        return inner if isinstance(inner, dict) else whole  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(inner, dict):
        raise _misses("request", "an object")
    user = inner.get("user")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if not isinstance(user, dict):
        raise _misses("request.user", "an object")
    login = user.get("login")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if not isinstance(login, str) or not login.strip():
        raise _misses("request.user.login", "text that is not empty")
    for key, kind in (hook.keys or {}).items():
        if not isinstance(inner.get(key), kind):  # pyright: ignore[reportUnknownMemberType]
            raise _misses(f"request.{key}", "text" if kind is str else kind.__name__)
    return inner  # pyright: ignore[reportUnknownVariableType]


def _misses(path: str, what: str) -> Problem:
    return Problem(422, "missing_key", f"The body must have {path}: {what}.")


def storable(text: str | None) -> str | None:
    """Postgres text has no NUL; ids are bounded."""
    return text.replace("\x00", "\ufffd")[:_LONGEST] if text else None


def platform_id(user: Json) -> str | None:
    """The platform's own id of the user, absent before creation (CONTRACT B2.1)."""
    value = user.get("id")
    return storable(value) if isinstance(value, str) else None


def fact_of(user: Json) -> Fact:
    """The person's state as a fact tells it: DELETE is a leaver, later archived (CONTRACT B4)."""
    status, version, updated = user.get("status"), user.get("version"), user.get("updated")
    word = status.upper() if isinstance(status, str) else ""
    archived = word.startswith("ARCHIV")
    whole = isinstance(version, int) and not isinstance(version, bool) and abs(version) < _MOST_VERSION
    return Fact(
        status=storable(status) if isinstance(status, str) else None,
        left=archived or word.startswith("DELETE"),
        archived=archived,
        version=version if whole else None,
        updated=storable(updated) if isinstance(updated, str) else None,
    )
