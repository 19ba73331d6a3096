"""Whether this process lives, and whether it can store a hook."""

import asyncio

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.receive import Receiver
from ledger.engine import Pool, StoreErrors
from ledger.figures import takes_hooks, why_away


async def live(_: Request) -> Response:
    """200 while the process answers at all."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """200 while the store takes hooks; 503 says what is missing. Temporal is not needed to take hooks."""
    beside: Pool = request.app.state.beside
    receiver: Receiver = request.app.state.receiver
    try:
        async with asyncio.timeout(1):
            await takes_hooks(beside)
    except asyncpg.UndefinedTableError:
        return JSONResponse({"status": "not ready", "store": "not migrated: run ./hookledger migrate"}, 503)
    except StoreErrors as wrong:
        store = why_away(wrong)
        spool = _spool(receiver)
        if spool is None:
            return JSONResponse({"status": "not ready", "store": store}, 503)
        full = spool["free"] < receiver.settings.api.max_body
        status = "not ready" if full else "ready"
        return JSONResponse(
            {"status": status, "store": store, "spool": spool} | _vault(receiver),
            503 if full else 200,
        )
    spool = _spool(receiver)
    return JSONResponse(
        {"status": "ready", "store": "ok"} | ({"spool": spool} if spool else {}) | _vault(receiver)
    )


def _vault(receiver: Receiver) -> dict[str, str]:
    """Passwords that cannot be kept are no reason to refuse hooks, but one to look."""
    trouble = receiver.vault.trouble
    return {"vault": trouble} if trouble and receiver.settings.vault.folder is not None else {}


def _spool(receiver: Receiver) -> dict[str, float] | None:
    """What waits to be recorded: records, bytes, the age of the oldest in seconds, and the bytes left."""
    if receiver.spool is None:
        return None
    figures = receiver.spool.figures()
    return {
        "records": figures.records,
        "bytes": figures.octets,
        "oldest": round(figures.age, 1),
        "free": receiver.spool.free(),
    }
