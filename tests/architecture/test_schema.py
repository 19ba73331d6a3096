"""The store's shape: one head, nothing that the tables say otherwise, and what is append-only is so for everybody."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from ledger.engine import Pool, open_pool
from ledger.migrate import configuration
from settings import Store

APPEND_ONLY = ("deliveries", "entries")
WRITES = ("UPDATE {} SET tenant = tenant", "DELETE FROM {}", "TRUNCATE {}")


def test_there_is_a_single_head(store: Store) -> None:
    scripts = ScriptDirectory.from_config(configuration(store.owner_url or ""))

    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


async def test_the_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    """`alembic check` raises, naming the difference. In a thread: its environment runs a loop of its own."""
    await asyncio.to_thread(command.check, configuration(store.owner_url or ""))


async def _as(url: str) -> Pool:
    return await open_pool(Store(url=url, owner_url=None), "schema test")


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_application_may_only_append(store: Store, table: str, write: str) -> None:
    pool = await _as(store.url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(write.format(table))
    finally:
        await pool.close()


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_owner_is_stopped_by_the_trigger(store: Store, table: str, write: str) -> None:
    pool = await _as(store.owner_url or "")
    try:
        with pytest.raises(asyncpg.PostgresError, match=f"the table {table} is append-only") as stopped:
            await pool.execute(write.format(table))
        assert getattr(stopped.value, "sqlstate", None) == "HL001"
    finally:
        await pool.close()


@pytest.mark.parametrize(
    "attack",
    [
        "ALTER TABLE entries DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON entries",
        "DROP TABLE entries",
        "CREATE TABLE mine (id int)",
        "SET ROLE hookledger_owner",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
async def test_the_application_cannot_take_the_wall_down(store: Store, attack: str) -> None:
    pool = await _as(store.url)
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
            await pool.execute(attack)
    finally:
        await pool.close()


async def test_the_application_s_role_is_an_ordinary_one(pool: Pool) -> None:
    role = await pool.fetchval(
        "SELECT (rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)::text"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert role == "(hookledger_app,f,f,f,f,f)"


async def test_the_application_cannot_grant_itself_more(pool: Pool) -> None:
    """Postgres only warns that nothing was granted, to a role that may read the table."""
    for table in APPEND_ONLY:
        await pool.execute(f"GRANT UPDATE, DELETE, TRUNCATE ON {table} TO hookledger_app")
        for right in ("SELECT", "INSERT", "UPDATE"):
            may = await pool.fetchval("SELECT has_any_column_privilege($1, $2)", table, right)
            assert may is (right in ("SELECT", "INSERT")), right
        for right in ("DELETE", "TRUNCATE"):
            assert not await pool.fetchval("SELECT has_table_privilege($1, $2)", table, right)
