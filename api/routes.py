"""The routes: one loop over the hooks, no code per hook; and the one spelling that every path is brought to."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hooks import by_name
from hooks.hook import Hook
from hooks.unknown import UNKNOWN

Receiver = Callable[[Hook, Request, str], Awaitable[Response]]

_PROBLEM: dict[str, Any] = {"description": "Problem (RFC 9457)", "content": {"application/problem+json": {}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"response": {}}}}},
    **dict.fromkeys((400, 401, 403, 408, 413, 415, 422, 503), _PROBLEM),
}
_SLASHES = re.compile(r"/{2,}")


class _Direct(APIRoute):
    """Calls the endpoint with the request itself: FastAPI's parsing would read the body before the token is
    checked, and its errors echo what was sent. The route still stands in the OpenAPI document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def add_hooks(app: FastAPI, prefix: str, receiver: Receiver) -> None:
    """Adds every hook's route, and the one for names this version does not know."""
    app.router.route_class = _Direct
    for hook in by_name().values():
        _add(app, f"{prefix}/{hook.name}", hook, receiver)
    _add(app, f"{prefix}/{{name:path}}", UNKNOWN, receiver)


def _add(app: FastAPI, path: str, hook: Hook, receiver: Receiver) -> None:
    async def endpoint(request: Request) -> Response:
        return await receiver(hook, request, request.path_params.get("name", ""))

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
                        "schema": {"type": "object"},
                        "example": {"request": hook.sample} if hook.sample else {},
                    }
                },
            },
        },
        include_in_schema=hook is not UNKNOWN,
    )


class OneSpelling:
    """Brings paths under the prefix to one spelling: any case, doubled and trailing slashes. Never redirects."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._known = {
            f"{prefix}/{hook.name}".lower(): f"{prefix}/{hook.name}" for hook in by_name().values()
        }
        self._exact = frozenset(self._known.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._exact:
            plain = _SLASHES.sub("/", scope["path"]).rstrip("/")
            path = self._known.get(plain.lower())
            under = f"{self._prefix}/".lower()
            if path is None and self._prefix and plain.lower().startswith(under):
                path = f"{self._prefix}/{plain[len(under) :]}"
            if path is not None:
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
