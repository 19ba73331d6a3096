"""Whether this process lives, and whether it can store a hook."""

import asyncio

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.engine import Pool, StoreErrors


async def live(_: Request) -> Response:
    """200 while the process answers at all."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """200 while the store takes hooks; 503 says what is missing. Temporal is not needed to take hooks."""
    pool: Pool = request.app.state.pool
    try:
        async with asyncio.timeout(1):
            await pool.fetchval("SELECT 1 FROM deliveries LIMIT 1")
    except asyncpg.UndefinedTableError:
        return JSONResponse({"status": "not ready", "store": "not migrated: run ./hookledger migrate"}, 503)
    except StoreErrors:
        return JSONResponse({"status": "not ready", "store": "out of reach"}, 503)
    return JSONResponse({"status": "ready", "store": "ok"})
