"""Alembic's environment: runs the migrations as the owner of the store."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from ledger.engine import connect
from ledger.tables import metadata


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


async def _main() -> None:
    engine = connect(
        context.config.attributes["url"], name="hookledger migrate", pool_size=1, statement_timeout=600
    )
    async with engine.begin() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_main())
