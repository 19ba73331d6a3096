"""Cookies of the console: for this host and its scripts' eyes never; with the prefix that browsers hold to, under TLS."""

from starlette.requests import Request
from starlette.responses import Response

SESSION = "hookledger-session"
VISIT = "hookledger-visit"
"""Of whoever has not signed in yet: binds the form, or the way to the provider and back, to their browser."""


def read(request: Request, name: str) -> str | None:
    """What the browser sent. Under TLS only a cookie that nobody but this host can have set over TLS."""
    return request.cookies.get(_named(request, name))


def give(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Until the browser is closed, or for so many seconds.

    Lax, not strict: people come back from the identity provider, and from links in tickets. What changes anything is a
    POST with a token of its own.
    """
    response.set_cookie(
        _named(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=_is_tls(request),
        httponly=True,
        samesite="lax",
    )


def take(request: Request, response: Response, name: str) -> None:
    """Has the browser forget it."""
    response.delete_cookie(
        _named(request, name), path="/", secure=_is_tls(request), httponly=True, samesite="lax"
    )


def _named(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_tls(request) else name


def _is_tls(request: Request) -> bool:
    """Ours, or that of a proxy in `forwarded_allow_ips`."""
    return request.url.scheme == "https"
