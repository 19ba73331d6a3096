"""The second wall between tenants: what the store itself shows and takes, whatever a statement asks for."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy import text

from ledger.engine import Pool, before_the_wall, connect, open_pool, reading, statements, within
from ledger.receive import Delivery, Person, receive
from ledger.walls import EVERYTHING, SETTING, see
from settings import Store
from tests.conftest import TEMPLATE
from tests.support import Servers

OURS, THEIRS = "ours", "theirs"
IDS = {OURS: uuid.UUID(int=1), THEIRS: uuid.UUID(int=2)}
OF_NOBODY = {
    "activity_names": "names of activities in this release",
    "alembic_version": "the schema's version",
    "checkpoints": "signed heads of the one tree, for anybody to keep",
    "found_in_temporal": "keys of runs, hashed",
    "leaves": "hashes of entries",
    "recent": "a keyed hash and a hook beside a pseudonym, for seconds",
    "releases": "versions of this software",
    "rings": "a time beside a pseudonym",
    "unsealed": "numbers of entries",
}
"""Tables without a wall, and what they hold."""

_TABLES = """
    SELECT c.relname, c.relrowsecurity,
           EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND 'hookledger_app'::regrole = ANY (p.polroles)),
           has_table_privilege('hookledger_app', c.oid, 'SELECT')
      FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
_COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_CHECKS = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND conislocal AND conrelid <> 0
"""


async def driver(url: str, tenants: str | None = None) -> Any:
    """A bare connection."""
    settings = {} if tenants is None else {SETTING: tenants}
    return await cast("Any", asyncpg).connect(url, server_settings=settings)


def literal(tenant: str, column: str, kind: str) -> str:
    """Something of that kind, as SQL, that tells whose row it is."""
    number = IDS[tenant].int
    return {
        "uuid": f"'{IDS[tenant]}'",
        "bytea": f"'\\x0{number}'",
        "bigint": f"{number}",
        "integer": f"{number}",
        "boolean": "false",
        "text[]": f"'{{{tenant}}}'",
        "jsonb": f"""'["{tenant}"]'""",
        "timestamp with time zone": "now()",
        "text": f"'{tenant}'" if column == "tenant" else f"'{column} of {tenant}'",
    }[kind]


@pytest.fixture(scope="module")
async def filled(servers: Servers) -> AsyncGenerator[Store]:
    """A store with one row of either tenant behind every wall; `owner_url` is the superuser's."""
    name = f"walls_{uuid.uuid4().hex[:8]}"
    root = await driver(servers.url("postgres", "postgres"))
    await root.execute(f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE {TEMPLATE}')
    above = await driver(servers.url("postgres", name))
    # Rows need not mean anything: no triggers, no checks.
    await above.execute("SET session_replication_role = replica")
    for table, check in await above.fetch(_CHECKS):
        await above.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{check}"')
    for table in await walled(above):
        columns = await above.fetch(_COLUMNS, table)
        names = ", ".join(f'"{column}"' for column, _ in columns)
        for tenant in IDS:
            row = ", ".join(literal(tenant, column, kind) for column, kind in columns)
            await above.execute(f"INSERT INTO {table} ({names}) VALUES ({row})")
    yield Store(url=servers.url("hookledger_app", name), owner_url=servers.url("postgres", name))
    await above.close()
    await root.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await root.close()


async def walled(connection: Any) -> list[str]:
    """Tables that the application may read, but for those of nobody."""
    return sorted(
        name for name, _, _, reads in await connection.fetch(_TABLES) if reads and name not in OF_NOBODY
    )


async def test_every_table_with_something_of_a_tenant_has_a_wall(filled: Store) -> None:
    above = await driver(filled.owner_url or "")
    rows = {name: (secured and policy, reads) for name, secured, policy, reads in await above.fetch(_TABLES)}
    assert {name for name, (wall, reads) in rows.items() if reads and not wall} == set(OF_NOBODY)
    for name in OF_NOBODY:
        assert "tenant" not in {column for column, _ in await above.fetch(_COLUMNS, name)}
    await above.close()


@pytest.mark.parametrize(
    ("tenants", "rows"), [(None, 0), ("", 0), ("our", 0), (OURS, 1), (f"{OURS} {THEIRS}", 2), (EVERYTHING, 2)]
)
async def test_a_statement_without_a_condition_reads_what_was_named_and_no_more(
    filled: Store, tenants: str | None, rows: int
) -> None:
    connection = await driver(filled.url, tenants)
    for table in await walled(connection):
        # Sessions are of people, who may read several tenants: only who lets them in looks for one.
        wanted = rows if table != "sessions" or tenants == EVERYTHING else 0
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == wanted, table
        if rows == 1 and wanted:
            row = dict((await connection.fetch(f"SELECT * FROM {table}"))[0])
            assert OURS in row.values() or IDS[OURS] in row.values(), table
    await connection.close()


async def test_nothing_of_another_is_changed_or_put_among_theirs(filled: Store) -> None:
    connection, above = await driver(filled.url, OURS), await driver(filled.owner_url or "")
    may = "SELECT has_table_privilege('hookledger_app', $1, $2)"
    tried = set[str]()
    for table in await walled(above):
        columns = [column for column, _ in await above.fetch(_COLUMNS, table)]
        for right, statement in (
            ("DELETE", f"DELETE FROM {table}"),
            ("UPDATE", f'UPDATE {table} SET "{columns[0]}" = "{columns[0]}"'),
        ):
            if not await above.fetchval(may, table, right):
                continue
            transaction = connection.transaction()
            await transaction.start()
            touched = await connection.execute(statement)
            await transaction.rollback()
            assert touched == f"{right} {int(table != 'sessions')}", table
            tried.add(right)
    assert tried == {"DELETE", "UPDATE"}
    for table in ("brakes", "switches", "lookups"):
        columns = [column for column, _ in await above.fetch(_COLUMNS, table)]
        row = ", ".join(f"'{THEIRS}'" if c == "tenant" else f'"{c}"' for c in columns)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"INSERT INTO {table} SELECT {row} FROM {table}")
    await connection.close()
    await above.close()


async def test_a_search_that_passes_the_wall_looks_at_it(filled: Store) -> None:
    ask = "SELECT count(*) FROM held_in($1, $2, now() - interval '1 day', now() + interval '1 day')"
    seen: dict[tuple[str, str], int] = {}
    above = await driver(filled.owner_url or "")
    await above.execute("UPDATE entitlements SET until = NULL")
    for tenants in ("", OURS, EVERYTHING):
        connection = await driver(filled.url, tenants)
        for tenant in IDS:
            seen[tenants, tenant] = await connection.fetchval(ask, tenant, f"application of {tenant}")
        await connection.close()
    await above.close()
    assert seen == {
        ("", OURS): 0,
        ("", THEIRS): 0,
        (OURS, OURS): 1,
        (OURS, THEIRS): 0,
        (EVERYTHING, OURS): 1,
        (EVERYTHING, THEIRS): 1,
    }


async def test_an_engine_shows_what_its_task_was_told_to_see(filled: Store) -> None:
    engine = connect(filled.url, name="walls", pool_size=1, statement_timeout=10, walled=True)
    who = text("SELECT array_agg(tenant ORDER BY tenant) FROM subjects")
    try:
        async with engine.connect() as connection:
            assert (await connection.execute(who)).scalar_one() is None
        async with before_the_wall(engine) as connection:
            assert (await connection.execute(who)).scalar_one() == [OURS, THEIRS]
        see(THEIRS)
        for begin in (engine.connect, engine.begin, lambda: reading(engine)):
            async with begin() as connection:
                assert (await connection.execute(who)).scalar_one() == [THEIRS]
        async with reading(engine) as connection:
            assert await (await statements(connection)).fetchval("SELECT count(*) FROM bodies") == 1
        see()
        async with reading(engine) as connection:
            assert (await connection.execute(who)).scalar_one() is None
    finally:
        see()
        await engine.dispose()


@pytest.fixture
async def answering(store: Store) -> AsyncGenerator[Pool]:
    """The answer path's pool, of one connection, so that a statement meets what the one before has left."""
    pool = await open_pool(store.model_copy(update={"pool_size": 1}), "walls", walled=True)
    yield pool
    await pool.close()


def hook(tenant: str) -> Delivery:
    login = f"{tenant}.{uuid.uuid4().hex[:8]}"
    return Delivery(
        id=uuid.uuid4(),
        tenant=tenant,
        hook="postCreate",
        verdict="recorded",
        body="{}",
        actor="tests",
        acting_for=None,
        code_version="1",
        rules_hash="1",
        person=Person(login, None, uuid.uuid4(), f"user:{tenant}:{login}"),
    )


async def test_receive_names_its_tenant_and_leaves_nothing_named(answering: Pool) -> None:
    for tenant in (OURS, THEIRS):
        assert (await receive(answering, hook(tenant))).seq == 1
        assert await answering.fetchval("SELECT count(*) FROM deliveries") == 0
    async with within(answering, OURS) as session:
        assert await session.fetchval("SELECT array_agg(DISTINCT tenant) FROM deliveries") == [OURS]
    assert await answering.fetchval("SELECT count(*) FROM deliveries") == 0
