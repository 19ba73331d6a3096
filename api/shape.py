"""What a hook's body must have, and how its answer looks."""

from starlette.responses import Response

from api.body import write
from api.problems import Problem
from hooks.hook import Hook, Json

_NOTHING = b'{"response":{}}'


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


def answered(response: Json) -> Response:
    """200 with what stands under `response`."""
    content = write({"response": response}) if response else _NOTHING
    return Response(content, media_type="application/json")
