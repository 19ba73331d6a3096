"""The application that answers questions about the ledger; everything it needs is made in its lifespan."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uuid_utils
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activities._registry import registry
from api.checkpoint import add_checkpoint
from api.console.app import add_console
from api.health import live
from api.problems import Problem, respond
from api.query.bounds import Bounds, Exports
from api.query.deeds import Deeds, OnBrake, OnWork
from api.query.desk import Desk
from api.query.door import Door
from api.query.erasing import CertificateAsked, Erasing, Erasures, Holding
from api.query.keys import Keys, NewKeyAsked, Revocation
from api.query.measured import Asked
from api.query.oidc import Oidc
from api.query.openapi import DOCUMENT, Route, add, shape_of, with_security
from api.query.packs import Packs
from api.query.questions import Questions
from api.query.requests import OnMany, OnRequest, Requests
from ledger.engine import Engine, EngineErrors, connect, reading, statements
from ledger.keys import takes_keys
from ledger.published import newest_note
from runtime.client import connect as connect_temporal
from runtime.seeing import watched
from runtime.seeing.meters import Meters
from runtime.version import code_version
from settings import Settings

_DESCRIPTION = "Asks the ledger. Every call carries a key (`./hookledger key new`) or a token of the identity provider as a bearer."
_DOOR_SECONDS = 5.0


def make_query_app(settings: Settings) -> FastAPI:
    """The application, not yet started. Starting needs neither store nor Temporal nor identity provider."""
    query = settings.query
    # Two engines: who is let in must not wait behind what others are still reading.
    door = connect(
        settings.store.url,
        name="hookledger query",
        pool_size=2,
        statement_timeout=_DOOR_SECONDS,
        walled=True,
    )
    engine = connect(
        settings.store.url,
        name="hookledger query",
        pool_size=query.connections,
        statement_timeout=query.statement_timeout,
        walled=True,
    )
    oidc = Oidc(query.oidc) if query.oidc else None
    desk = Desk(Door(door, oidc), Bounds(query), query.longest)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.temporal = await connect_temporal(lazy=True, name="query")
        version = code_version(tuple(registry()))
        try:
            async with watched(settings.metrics, "query", version, Meters(), Asked(door)):
                yield
        finally:
            if oidc:
                await oidc.close()
            with contextlib.suppress(*EngineErrors):
                await door.dispose()
                await engine.dispose()

    async def ready(_: Request) -> Response:
        try:
            async with door.connect() as connection:
                await takes_keys(connection)
        except EngineErrors:
            return JSONResponse({"status": "not ready", "store": "out of reach, or not migrated"}, 503)
        return JSONResponse({"status": "ready", "store": "ok"})

    app = FastAPI(
        title="Hookledger: the ledger",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=DOCUMENT,
        # The page that FastAPI has loads scripts from elsewhere; on this origin there will be sessions.
        docs_url=None,
        redoc_url=None,
    )

    async def newest() -> str | None:
        async with reading(door) as connection:
            return await newest_note(await statements(connection))

    app.add_api_route("/health/live", live, include_in_schema=False)
    app.add_api_route("/health/ready", ready, include_in_schema=False)
    app.add_exception_handler(HTTPException, _not_here)
    # Pages must find a connection free while others read for minutes.
    exports = Exports(max(1, query.connections // 2))
    packs = Packs(settings, engine, exports)
    routes = (
        *Questions(settings, engine, exports).routes(),
        *packs.routes(),
        *_of_operators(settings, engine),
        *_of_admins(settings, engine),
        *_of_erasing(settings, engine),
    )
    for route in routes:
        add(app, route, desk.endpoint(route.handler))
    with_security(app)
    add_checkpoint(app, newest)
    add_console(app, settings, desk.bounds, (desk.door, door), engine, oidc, packs, exports)
    return app


def _of_operators(settings: Settings, engine: Engine) -> tuple[Route, ...]:
    deeds = Deeds(settings, engine)
    requests = Requests(settings, engine)
    return (
        Route(
            "POST",
            "/ledger/work/redrive-all",
            "redrive all",
            "Counts what a filter finds failed, refused or held; with `counted`, redrives at most so much, or asks for it",
            "operator",
            requests.redrive_all,
            shape_of(OnMany),
        ),
        Route(
            "GET",
            "/ledger/requests",
            "requests",
            "Deeds that wait for another person",
            "operator",
            requests.listing,
        ),
        Route(
            "POST",
            "/ledger/requests/approve",
            "approve",
            "Does what another person asked for, as much as they counted",
            "operator",
            requests.approve,
            shape_of(OnRequest),
        ),
        Route(
            "POST",
            "/ledger/requests/reject",
            "reject",
            "Ends a request without doing it",
            "operator",
            requests.reject,
            shape_of(OnRequest),
        ),
        Route(
            "POST",
            "/ledger/work/redrive",
            "redrive",
            "Runs work of a delivery again that failed, was refused or is held; named, also what went well",
            "operator",
            deeds.on_work("redrive"),
            shape_of(OnWork),
        ),
        Route(
            "POST",
            "/ledger/work/skip",
            "skip",
            "Gives up open work of a delivery, so that what waits behind it goes on",
            "operator",
            deeds.on_work("skip"),
            shape_of(OnWork),
        ),
        Route(
            "POST",
            "/ledger/brake/release",
            "release brake",
            "Lets runDeprovision be answered as configured again",
            "operator",
            deeds.release,
            shape_of(OnBrake),
        ),
    )


def _of_admins(settings: Settings, engine: Engine) -> tuple[Route, ...]:
    keys = Keys(settings, engine)
    return (
        Route("GET", "/ledger/keys", "keys", "Keys that are good", "admin", keys.listing),
        Route(
            "POST",
            "/ledger/keys",
            "key new",
            "Makes a key, shown this once",
            "admin",
            keys.make,
            shape_of(NewKeyAsked),
        ),
        Route(
            "POST",
            "/ledger/keys/revoke",
            "key revoke",
            "Ends a key at once",
            "admin",
            keys.revoke,
            shape_of(Revocation),
        ),
    )


def _of_erasing(settings: Settings, engine: Engine) -> tuple[Route, ...]:
    erasures = Erasures(settings, engine)
    return (
        Route(
            "POST",
            "/ledger/erasures",
            "erase",
            "Shows what would go of a person, erases them, or lets that wait until it is allowed",
            "admin",
            erasures.erase,
            shape_of(Erasing),
        ),
        Route(
            "POST",
            "/ledger/holds",
            "hold",
            "Places a legal hold, or releases one",
            "admin",
            erasures.hold,
            shape_of(Holding),
        ),
        Route(
            "GET",
            "/ledger/certificates",
            "certificate",
            "The signed certificate of an erasure",
            "auditor",
            erasures.certificate,
            shape_of(CertificateAsked),
        ),
    )


async def _not_here(_: Request, wrong: Exception) -> Response:
    status = wrong.status_code if isinstance(wrong, HTTPException) else 500
    code, words = {
        404: ("not_found", "There is nothing here: GET /ledger lists what can be asked."),
        405: ("method", "This is not asked by that method."),
    }.get(status, ("refused", "The call was turned away."))
    headers = wrong.headers if isinstance(wrong, HTTPException) else None
    return respond(Problem(status, code, words, headers), str(uuid_utils.uuid7()))
