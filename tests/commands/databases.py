"""Databases of a test's own: what some commands say depends on everything in the store."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import text

from ledger.engine import connect
from settings import Store
from tests.support import Servers


@asynccontextmanager
async def database(servers: Servers, template: str) -> AsyncGenerator[Store]:
    """A copy of that database, dropped at the end."""
    name = f"hookledger_{uuid.uuid4().hex[:12]}"
    engine = connect(servers.url("postgres", "postgres"), name="test", pool_size=1, statement_timeout=30)
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE {template}'))
        try:
            yield Store(
                url=servers.url("hookledger_app", name), owner_url=servers.url("hookledger_owner", name)
            )
        finally:
            await connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    await engine.dispose()
