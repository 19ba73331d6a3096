"""The store's connections: one SQLAlchemy engine per process, and a bare pool for the answer path."""

import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

import asyncpg
from sqlalchemy import URL, AdaptedConnection, PoolProxiedConnection, event, make_url
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.walls import EVERYTHING, NOTHING, SETTING, seeing, seen
from settings import Store

_DRIVER: Any = asyncpg
"""It has no types of its own."""

Connection = AsyncConnection
Engine = AsyncEngine
"""Their names outside the ledger, which alone knows SQLAlchemy."""

EngineErrors = (SQLAlchemyError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a lost, slow or refusing store raises on the engine. Their texts may hold data: log only the type."""
StoreErrors = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What a lost, slow or refusing store raises on the bare pool. Their texts may hold data: log only the type."""


def connect(
    url: str,
    *,
    name: str,
    pool_size: int,
    statement_timeout: float,
    by_key: bool = False,
    walled: bool = False,
) -> AsyncEngine:
    """An async engine whose errors hide parameters. `statement_timeout` in seconds, held by the server.

    `by_key` is for statements that look rows up by key, always: no plan of theirs reads a whole table.
    Each transaction of a `walled` one shows the tenants that `ledger.walls.see()` named, others show all of them.
    """
    server_settings = _server_settings(name, statement_timeout, NOTHING if walled else EVERYTHING)
    engine = create_async_engine(
        _driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": 5, "server_settings": server_settings | (_BY_KEY if by_key else {})},
        execution_options={"walled": walled},
    )
    event.listen(engine.sync_engine, "checkout", _forget_old_plans)
    if walled:
        event.listen(engine.sync_engine, "begin", _raise_wall)
    return engine


_PLANS_LAST = 15.0
"""Seconds. A statement is planned once for a connection, by how large its tables are just then. Made while a table was small,
the plan reads all of it; it would be kept until statistics are made anew, and by then a storm has made the table large."""


def _forget_old_plans(
    connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
) -> None:
    planned: float = record.info.setdefault("planned", time.monotonic())
    if time.monotonic() - planned >= _PLANS_LAST:
        try:
            cast("AdaptedConnection", connection).run_async(lambda driver: driver.execute("DISCARD PLANS"))
        except StoreErrors as wrong:
            raise DisconnectionError from wrong  # the pool tries another one
        record.info["planned"] = time.monotonic()


def _raise_wall(connection: SyncConnection) -> None:
    connection.exec_driver_sql(_naming(seen()))


def _naming(tenants: str) -> str:
    # SET takes no snapshot, as a SELECT would: the transaction can still be told to use another's.
    return "SET LOCAL {} = '{}'".format(SETTING, tenants.replace("'", "''"))


@asynccontextmanager
async def before_the_wall(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A transaction of a walled engine for those who have still to find out whose call it is."""
    with seeing(EVERYTHING):
        async with engine.begin() as connection:
            yield connection


def reading(engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
    """A connection for single SELECTs, without a transaction around them: one round trip instead of three.

    A wall needs the transaction.
    """
    if engine.sync_engine.get_execution_options()["walled"]:
        return engine.begin()
    return engine.execution_options(isolation_level="AUTOCOMMIT").connect()


async def statements(connection: AsyncConnection) -> "Statements":
    """The driver's own connection behind this one, for what the answer path's queries are written for."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    return raw


def connect_store(store: Store, name: str) -> AsyncEngine:
    """The engine of a process, as configured in `[store]`; `name` shows in pg_stat_activity."""
    return connect(store.url, name=name, pool_size=store.pool_size, statement_timeout=store.statement_timeout)


_BY_KEY = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Looks rows up by key, always: a plan made while a table was small must not scan it once it is large."""
_ONE_PLAN = _BY_KEY | {"plan_cache_mode": "force_generic_plan"}
"""receive() is planned once for all calls."""


class Statements(Protocol):
    """What the answer path uses of asyncpg, which has no types of its own: single statements."""

    async def fetchrow(self, query: str, *args: Any) -> Sequence[Any] | None:
        """The first row."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row."""
        ...

    async def execute(self, query: str, *args: Any) -> str:
        """The command's tag."""
        ...

    async def executemany(self, command: str, args: Sequence[Sequence[Any]]) -> None:
        """Runs the command once for each sequence of arguments."""
        ...


class Session(Statements, Protocol):
    """One connection of the pool."""

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Commits at the end of the block, or rolls back."""
        ...


class Acquiring(AbstractAsyncContextManager[Session], Awaitable[Session], Protocol):
    """A connection, for a block or until it is released."""


class Pool(Statements, Protocol):
    """The pool itself: each statement on whichever connection is free."""

    def acquire(self) -> Acquiring:
        """A connection for several statements."""
        ...

    async def release(self, connection: Session) -> None:
        """Gives back one that was awaited; when a statement was given up, after the store has heard so."""
        ...

    async def close(self) -> None:
        """Waits for its connections, then closes them."""
        ...


async def open_pool(store: Store, name: str, *, read_only: bool = False, walled: bool = False) -> Pool:
    """The pool under receive(): SQLAlchemy's checkout costs more than the whole call (docs/adr/0002).

    Connects at the first call, so that a process starts while the store is down. A `walled` one shows rows only
    `within` a tenant, or to functions of the store that name one themselves.
    """
    only = {"default_transaction_read_only": "on"} if read_only else {}
    return await _DRIVER.create_pool(
        store.url,
        min_size=0,
        max_size=store.pool_size,
        timeout=store.statement_timeout,
        command_timeout=store.statement_timeout,
        server_settings=_server_settings(name, store.statement_timeout, NOTHING if walled else EVERYTHING)
        | _ONE_PLAN
        | only,
        init=_json_as_text,
        reset=_nothing_to_reset,
    )


@asynccontextmanager
async def within(pool: Pool, *tenants: str) -> AsyncGenerator[Session]:
    """A transaction on a connection of the pool that shows these tenants' rows."""
    async with pool.acquire() as session, session.transaction():
        await session.execute(_naming(" ".join(tenants)))
        yield session


async def connect_alone(store: Store, name: str, statement_timeout: float) -> Any:
    """A bare connection for a long job, with the pool's plans. Its chunks do not wait for the disk: they are all
    there or the last few are not, and the job says when it wants to be sure."""
    settings = (
        _server_settings(name, statement_timeout, EVERYTHING) | _ONE_PLAN | {"synchronous_commit": "off"}
    )
    connection = await _DRIVER.connect(store.url, timeout=5, server_settings=settings)
    await _json_as_text(connection)
    return connection


_AS_SEALED = {"TimeZone": "UTC", "DateStyle": "ISO, YMD", "client_encoding": "UTF8"}
"""How leaves write times; `ledger.leaf` reads it."""


async def connect_to_read(store: Store, name: str, *, by_key: bool = False, tenants: str = EVERYTHING) -> Any:
    """A bare connection for rows as they are sealed, by COPY. Statements may take as long as they need.

    `by_key` as in `connect`. Its commits wait for the disk. It shows these `tenants` only.
    """
    settings = _server_settings(name, 0, tenants) | _AS_SEALED | (_BY_KEY if by_key else {"jit": "off"})
    return await _DRIVER.connect(
        store.url, timeout=5, server_settings=settings | {"synchronous_commit": "on"}
    )


async def _json_as_text(connection: Any) -> None:
    await connection.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")


async def _nothing_to_reset(_: Any) -> None:
    """receive() leaves nothing behind on a connection; asyncpg's own reset would be a second round trip."""


def _driver_url(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+asyncpg")


def _server_settings(name: str, statement_timeout: float, tenants: str) -> dict[str, str]:
    return {
        "application_name": name,
        "statement_timeout": f"{round(statement_timeout * 1000)}",
        SETTING: tenants,
    }
