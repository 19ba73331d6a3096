"""One visit of a command to the store: a connection of its own, bounded in time, one error whatever is lost."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.engine import Pool, StoreErrors, connect, open_pool
from settings import Store

_STATEMENT_SECONDS = 10.0
_IN_WORDS = {
    "25006": "is read-only: store.url leads to a standby, or default_transaction_read_only is on",
    "28P01": "refuses the password in store.url",
    "28000": "refuses the role in store.url",
    "3D000": "has no such database: check store.url",
    "42P01": "is not migrated: run ./hookledger migrate",
    "42501": "does not grant this to the role in store.url: run ./hookledger migrate, and grant what "
    "deploy/postgres/databases.sh does",
    "53300": "has no connection left: too many clients",
    "57014": "took too long",
}
"""By SQLSTATE, PostgreSQL's appendix A."""


class OutOfReach(Exception):
    """The store cannot be used now; the text says why, and holds neither address nor data."""


@asynccontextmanager
async def visit(
    store: Store, statement_timeout: float = _STATEMENT_SECONDS
) -> AsyncGenerator[AsyncConnection]:
    """A connection in a transaction that commits at the end. Raises OutOfReach. `statement_timeout` in seconds."""
    engine = connect(store.url, name="hookledger command", pool_size=1, statement_timeout=statement_timeout)
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as wrong:
        raise OutOfReach(f"the store {why(wrong)}") from None
    finally:
        await engine.dispose()


@asynccontextmanager
async def look(store: Store) -> AsyncGenerator[Pool]:
    """A pool whose connections can read and nothing else. Raises OutOfReach, also for what a call on it raises."""
    pool = await open_pool(store, "hookledger command", read_only=True)
    try:
        yield pool
    except StoreErrors as wrong:
        raise OutOfReach(f"the store {why(wrong)}") from None
    finally:
        await pool.close()


def why(wrong: Exception) -> str:
    """What a lost, slow or refusing store is, in words that follow "the store"."""
    cause = wrong.orig if isinstance(wrong, DBAPIError) else wrong
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return _IN_WORDS.get(state, f"refuses (SQLSTATE {state})")
    if isinstance(cause, OSError | TimeoutError):
        return f"does not answer ({type(cause).__name__}): is it running, and is store.url right?"
    return f"cannot be used ({type(cause).__name__})"
