"""`GET /ledger/checkpoint`: the newest signed checkpoint, for anybody to keep. It names nobody, so it asks for no token."""

from collections.abc import Awaitable, Callable

import uuid_utils
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.problems import Problem, respond
from ledger.engine import EngineErrors, StoreErrors

PATH = "/ledger/checkpoint"


def add_checkpoint(app: FastAPI, newest: Callable[[], Awaitable[str | None]]) -> None:
    """Mounts it. `newest` gives the newest note, None before the first."""

    async def checkpoint(_: Request) -> Response:
        """The note as text (c2sp.org/tlog-checkpoint); 404 before the first, 503 while the store is out of reach."""
        try:
            note = await newest()
        except (*StoreErrors, *EngineErrors):
            problem = Problem(503, "unavailable", "The store is out of reach.", {"Retry-After": "5"})
            return respond(problem, str(uuid_utils.uuid7()))
        if note is None:
            return respond(Problem(404, "not_found", "Nothing is sealed yet."), str(uuid_utils.uuid7()))
        return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})

    app.add_api_route(PATH, checkpoint, include_in_schema=False)
