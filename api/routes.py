"""The routes: one loop over the hooks, no code per hook; and the one spelling that every path is brought to."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uuid_utils
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.caller import Refusal
from api.problems import Problem, respond
from hooks import by_name
from hooks.hook import Hook
from hooks.unknown import UNKNOWN
from settings.addresses import Addresses, is_listed

Receiver = Callable[[Hook, Request, str], Awaitable[Response]]

_PROBLEM: dict[str, Any] = {"description": "Problem (RFC 9457)", "content": {"application/problem+json": {}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"response": {}}}}},
    **dict.fromkeys((400, 401, 403, 408, 413, 415, 422, 429, 503), _PROBLEM),
}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""What a hook of tomorrow may be called, in small letters."""
_TYPES: dict[type, str] = {str: "string", dict: "object", list: "array", bool: "boolean"}
_SLASH = b"%2f"
"""A slash that is none to a proxy in front: no path of ours has it."""
_TO_ANYBODY = frozenset({"/health/live", "/health/ready"})
"""Asked by what keeps the process running, from wherever that is."""
_SLASHES = re.compile(r"/{2,}")


class _Direct(APIRoute):
    """Calls the endpoint with the request itself: FastAPI's parsing would read the body before the token is
    checked, and its errors echo what was sent. The route still stands in the OpenAPI document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def add_hooks(app: FastAPI, prefix: str, receiver: Receiver) -> None:
    """Adds every hook's route to the OpenAPI document and to what answers a wrong method."""
    app.router.route_class = _Direct
    for hook in by_name().values():
        _add(app, f"{prefix}/{hook.name}", hook, receiver)


def _add(app: FastAPI, path: str, hook: Hook, receiver: Receiver) -> None:
    async def endpoint(request: Request) -> Response:
        return await receiver(hook, request, "")

    app.router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        name=hook.name,
        summary=hook.purpose,
        tags=[hook.kind.value],
        response_class=Response,
        responses=_RESPONSES,
        openapi_extra={
            "security": [{"token": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _shape(hook),
                        "example": {"request": hook.sample} if hook.sample else {},
                    }
                },
            },
        },
    )


def _shape(hook: Hook) -> dict[str, Any]:
    """What a body must have (see shape.py), as a JSON schema; whatever else it has is carried."""
    if not hook.about_user:
        return {"type": "object"}
    login = {"type": "string", "pattern": r"\S"}
    user = {"type": "object", "required": ["login"], "properties": {"login": login}}
    own = {key: {"type": _TYPES[kind]} for key, kind in (hook.keys or {}).items()}
    request = {"type": "object", "required": ["user", *own], "properties": {"user": user, **own}}
    return {"type": "object", "required": ["request"], "properties": {"request": request}}


class HookPaths:
    """Takes the calls of hooks, whatever their path's spelling: any case, doubled and trailing slashes; no redirect.

    One look-up instead of a pattern per route. Everything else, a wrong method included, is the application's, for
    callers on the list. The receiver has the same list for hooks, as it also records whom it turns away.
    """

    def __init__(self, app: FastAPI, prefix: str, receiver: Receiver, allow: Addresses = ()) -> None:
        self.state = app.state
        self._allow = allow
        self._app: ASGIApp = app
        self._receiver = receiver
        self._under = f"{prefix}/".lower()
        self._hooks = {f"{prefix}/{hook.name}": hook for hook in by_name().values()}
        self._by_lower = {path.lower(): path for path in self._hooks}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"] if _SLASH not in scope["raw_path"].lower() else ""
            hook, name = self._hooks.get(path), ""
            if hook is None:
                path, name = self._find(path)
                hook = self._hooks.get(path) or (UNKNOWN if name else None)
                scope["path"] = path
            if hook is not None and scope["method"] == "POST":
                response = await self._receiver(hook, Request(scope, receive), name)
                await response(scope, receive, send)
                return
            if not self._may_ask(scope):
                refusal = Refusal("address", status=403)
                problem = Problem(refusal.status, refusal.reason, refusal.public)
                await respond(problem, str(uuid_utils.uuid7()))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _may_ask(self, scope: Scope) -> bool:
        if not self._allow or scope["path"] in _TO_ANYBODY:
            return True
        client = scope.get("client")
        return is_listed(client[0] if client else "", self._allow)

    def _find(self, path: str) -> tuple[str, str]:
        """The path in its one spelling, and the name if no hook has it."""
        plain = _SLASHES.sub("/", path).rstrip("/")
        if not plain.isascii():
            # A letter beyond ASCII may be lowered to one within, which no proxy in front expects.
            return path, ""
        lower = plain.lower()
        known = self._by_lower.get(lower)
        if known is not None:
            return known, ""
        if lower.startswith(self._under) and _NAME.fullmatch(lower, len(self._under)):
            return plain, plain[len(self._under) :]
        return path, ""
