"""Runs the migrations: a job of its own, never a side effect of starting the api."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ledger.engine import connect
from settings import Store

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_PATIENCE = 10.0
"""Seconds for the store's first answer. At a machine's start the api waits for it, and takes hooks without a store."""


class MigrationError(Exception):
    """The migrations cannot run; the text says what to do."""


def configuration(url: str) -> Config:
    """Alembic's configuration for the owner's url."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["url"] = url
    return config


def migrate_to_head(store: Store) -> bool:
    """Brings the store to the newest schema; False if it was there already. Raises MigrationError."""
    if store.owner_url is None:
        raise MigrationError("store.owner_url is not given: migrations run as the owner of the database")
    config = configuration(store.owner_url)
    try:
        before = asyncio.run(_revision(store.owner_url))
        command.upgrade(config, "head")
    except (OSError, asyncpg.PostgresError) as wrong:
        raise MigrationError(f"the store cannot be reached or refuses: {type(wrong).__name__}") from None
    return before != ScriptDirectory.from_config(config).get_current_head()


async def _revision(url: str) -> str | None:
    engine = connect(url, name="hookledger migrate", pool_size=1, statement_timeout=10)
    try:
        async with asyncio.timeout(_PATIENCE), engine.connect() as connection:
            there = await connection.exec_driver_sql("SELECT to_regclass('alembic_version')::text")
            if there.scalar_one() is None:
                return None
            version = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            return version.scalar_one_or_none()
    finally:
        await engine.dispose()
