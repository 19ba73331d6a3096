"""Alembic's environment: runs the migrations as the owner of the store."""

import asyncio
import re

from alembic import context
from sqlalchemy import Connection

from ledger.engine import connect
from ledger.tables import metadata

_MONTH = re.compile(r"(deliveries|bodies|entries)_((until_)?\d{4}_\d{2}|rest)")


def _is_named(name: str | None, kind: str, _: object) -> bool:
    """Months come and go: they are not of the schema that the code knows, their parents are."""
    return not (kind == "table" and name and _MONTH.fullmatch(name))


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=_is_named)
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
