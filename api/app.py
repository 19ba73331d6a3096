"""The HTTP edge as one application: hooks, health, OpenAPI; everything it needs is made in its lifespan."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx
import uuid_utils
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from activities._planning import Planner
from activities._registry import registry
from api.auth import Verifier
from api.background import Background
from api.checkpoint import add_checkpoint
from api.health import live, ready
from api.measured import Measured
from api.problems import Problem, respond
from api.receive import Receiver
from api.replaying import SIDE_BY_SIDE
from api.routes import HookPaths, add_hooks
from hooks.hook import Hook
from ledger.engine import Pool, open_pool
from ledger.published import newest_note
from rules.decision import DecisionTools
from runtime.bell import Bell
from runtime.beside import beside, guarded
from runtime.client import connect
from runtime.configuration import compiled
from runtime.seeing import watched
from runtime.seeing.meters import Meters
from runtime.spool import keep_open, open_spool
from runtime.tracing import open_traces
from runtime.vault import open_vault
from runtime.vault.keeping import begin, keep_keys
from runtime.version import code_version
from settings import Settings

_DESCRIPTION = (
    "Receives the webhooks of the Cymmetri Identity Platform. Every call carries its token as a bearer."
)

_FOR_ERRANDS = SIDE_BY_SIDE + 1
"""Connections for what goes on beside the answers: recording what was spooled, notes, what rules ask for, health.

Callers hand theirs on to each other: while enough of them come, nobody else would ever get one.
"""


def make_app(settings: Settings) -> HookPaths:
    """The application, not yet started. Starting needs neither store nor Temporal: it takes hooks once the store is there."""

    app = FastAPI(
        title="Hookledger",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=lambda app: living(app, settings),
        redirect_slashes=False,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
    )
    app.add_api_route("/health/live", live, include_in_schema=False)
    app.add_api_route("/health/ready", ready, include_in_schema=False)
    add_checkpoint(app, lambda: newest_note(app.state.errands))

    async def receiver(hook: Hook, request: Request, name: str) -> Response:
        return await app.state.receiver(hook, request, name)

    app.add_exception_handler(HTTPException, _not_here)
    add_hooks(app, settings.api.prefix, receiver)
    return HookPaths(app, settings.api.prefix, receiver, settings.api.allow)


@asynccontextmanager
async def living(app: FastAPI, settings: Settings) -> AsyncGenerator[None]:
    """All that an application needs, for as long as it lives. Of what was opened, everything is closed."""
    async with AsyncExitStack() as closing:

        def at_the_end(name: str, deed: Callable[[], Awaitable[None]]) -> None:
            """Last come, first done; that one goes wrong keeps none of the others from it."""
            closing.push_async_callback(guarded, f"closing {name}", deed)

        client = await connect(lazy=True, name="api")
        version = code_version(tuple(registry()))
        traces = open_traces(settings.traces, "api", version)
        at_the_end("traces", traces.close)
        pool = await open_pool(settings.store, "hookledger api", walled=True)
        few = settings.store.model_copy(update={"pool_size": _FOR_ERRANDS})
        errands = await open_pool(few, "hookledger api", walled=True)
        at_the_end("connections to the store", partial(_close, pool, errands))
        bell = Bell(client, settings.bell, settings.temporal, traces)
        meters = Meters()
        verifier = Verifier(settings.tenants, fingerprint_key=settings.fingerprint_key, skew=meters.token_age)
        planner = Planner(settings.activities)
        tools = DecisionTools(httpx.AsyncClient(timeout=settings.api.deadline, follow_redirects=False))
        at_the_end("decisions' connections", tools.http.aclose)
        at_the_end("the verifier", verifier.close)
        app.state.errands = errands
        spool = open_spool(settings)
        if spool is not None:
            at_the_end("the spool", spool.close)
        vault = open_vault(settings)
        await begin(settings, vault, "api")
        app.state.receiver = receiver = Receiver(
            settings,
            compiled(settings),
            verifier,
            planner,
            bell,
            pool,
            tools,
            version,
            spool,
            vault,
            meters,
            traces,
        )
        background = Background(receiver, bell, errands)
        at_the_end("what waits to be recorded", background.stop)
        # What was loaded stays for good: looking through it for garbage would hold answers up for 0.1 s at a time.
        gc.collect()
        gc.freeze()
        deeds = {"background": background.run, "vault": partial(keep_keys, vault)}
        if spool is not None:
            deeds["spool"] = partial(keep_open, spool, settings)
        await closing.enter_async_context(beside(deeds))
        at_the_end("the bell", partial(bell.drain, 5))
        measured = Measured(receiver, bell, pool, errands)
        async with watched(settings.metrics, "api", version, meters, measured):
            yield


async def _close(*pools: Pool) -> None:
    """Side by side: a store that says nothing holds the end up once."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(pool.close() for pool in pools)), 5)


async def _not_here(_: Request, wrong: Exception) -> Response:
    status = wrong.status_code if isinstance(wrong, HTTPException) else 500
    code, words = {
        404: ("not_found", "There is nothing here."),
        405: ("method", "Hooks are sent by POST."),
    }.get(status, ("refused", "The call was turned away."))
    headers = wrong.headers if isinstance(wrong, HTTPException) else None
    return respond(Problem(status, code, words, headers), str(uuid_utils.uuid7()))
