"""Whether this process lives, and whether it can store a hook."""

import asyncio

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.receive import Receiver
from ledger.engine import Pool, StoreErrors
from ledger.figures import takes_hooks, why_away
from runtime.spool import Spool


async def live(_: Request) -> Response:
    """200 while the process answers at all."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """200 while the store takes hooks; 503 says what is missing. Temporal is not needed to take hooks."""
    errands: Pool = request.app.state.errands
    receiver: Receiver = request.app.state.receiver
    try:
        async with asyncio.timeout(1):
            await takes_hooks(errands)
    except asyncpg.UndefinedTableError:
        return JSONResponse({"status": "not ready", "store": "not migrated: run ./hookledger migrate"}, 503)
    except StoreErrors as wrong:
        return _said(receiver, away=why_away(wrong))
    return _said(receiver)


def _said(receiver: Receiver, away: str = "") -> Response:
    """Without the store hooks are taken while the spool has room for one; before it is open, it may hold earlier ones."""
    spool, well, standing = receiver.spool, not away, {}
    if spool is not None:
        well = not spool.trouble and (well or spool.free() >= receiver.settings.api.max_body)
        standing = {"spool": spool.trouble or _figures(spool)}
    status = {"status": "ready" if well else "not ready", "store": away or "ok"}
    return JSONResponse(status | standing | _vault(receiver), 200 if well else 503)


def _vault(receiver: Receiver) -> dict[str, str]:
    """Passwords that cannot be kept are no reason to refuse hooks, but one to look."""
    trouble = receiver.vault.trouble
    return {"vault": trouble} if trouble and receiver.settings.vault.folder is not None else {}


def _figures(spool: Spool) -> dict[str, float]:
    """What waits to be recorded: records, bytes, the age of the oldest in seconds, and the bytes left."""
    figures = spool.figures()
    return {
        "records": figures.records,
        "bytes": figures.octets,
        "oldest": round(figures.age, 1),
        "free": spool.free(),
    }
