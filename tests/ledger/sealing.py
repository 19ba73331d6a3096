"""A ledger of its own for each test, sealed in several steps, copied from one that was made once."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg

from ledger.engine import open_pool
from ledger.handover import HandOver
from ledger.note import Checkpoint, Signer, open_checkpoint
from ledger.operate import Order
from ledger.receive import receive
from ledger.restored import Line, Told, restore
from ledger.seal import seal, sealing
from ledger.verify import Asked, Verdict, verify
from ledger.visit import visit
from ledger.walls import EVERYTHING, SETTING
from settings import Store
from tests.support import Servers, delivery

SIGNER = Signer("example.com/ledger", bytes(range(32)))
STEP = 10
"""Entries of one checkpoint."""
SEALED = 60
"""Entries that are sealed; `WAITING` more are queued."""
WAITING = 4

_TABLES = ("subjects", "handles", "deliveries", "bodies", "entries", "unsealed", "leaves", "checkpoints")

# What bind and operators write: several entries of one delivery, with everything in them.
_SETTLED = """
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor, acting_for,
                         code_version, rules_hash, detail, commitment)
    SELECT clock_timestamp(), tenant, subject, id, seq, hook, application, 'badge', 'done', 2, actor, acting_for, 'test',
           rules_hash, '{"attributes": ["e-mail"], "n": 1.5, "quoted": "\\t\\"é\\""}', commitment
      FROM deliveries ORDER BY received_at LIMIT 20
"""

_SHORT_IDS = (
    "CREATE OR REPLACE FUNCTION next_entry() RETURNS bigint LANGUAGE sql RETURN nextval('entry_numbers')"
)


@dataclass(frozen=True)
class Ledger:
    """One database. `sql` runs as the superuser, past triggers and keys."""

    store: Store
    root: Any

    async def sql(self, *statements: str) -> None:
        """Runs them all."""
        for statement in statements:
            await self.root.execute(statement)

    async def save(self) -> None:
        """Keeps everything as it is now."""
        await self.sql("CREATE SCHEMA saved", *(f"CREATE TABLE saved.{t} AS TABLE {t}" for t in _TABLES))

    async def restore(self) -> None:
        """Makes everything what it was, past triggers."""
        await self.sql("SET session_replication_role = replica")
        for table in _TABLES:
            await self.sql(f"TRUNCATE {table}", f"INSERT INTO {table} TABLE saved.{table}")
        await self.sql("SELECT setval('entry_numbers', (SELECT max(id) FROM entries) % 10000000000)")

    async def seal(self, signer: Signer = SIGNER, most: int = STEP) -> int:
        """Seals everything that waits; gives the size of the tree."""
        async with sealing(self.store) as connection:
            step = await seal(connection, signer, [SIGNER.verifier, signer.verifier], most)
            while step.full:
                step = await seal(connection, signer, [SIGNER.verifier, signer.verifier], most)
        return step.head.checkpoint.size if step.head else 0

    async def restored(self, *kept: Checkpoint, mark: str = "00000000") -> HandOver:
        """The deed after a backup came back; `kept` are checkpoints from elsewhere."""
        line = Line(SIGNER, [SIGNER.verifier], kept, mark)

        def order(tenant: str) -> Order:
            return Order("restored", "tester", "a test", uuid.uuid4(), "test", tenant)

        async with visit(self.store) as connection:
            handover = await restore(connection, Told(order, ["as100"]), line)
        assert handover is not None
        return handover

    async def receive(self, *logins: str, **changes: Any) -> None:
        """Takes in a hook for each of these people."""
        pool = await open_pool(self.store, "sealing test")
        for login in logins:
            await receive(pool, delivery(login, **changes))
        await pool.close()

    async def checkpoint(self, size: int = SEALED) -> Checkpoint:
        """One as somebody kept it elsewhere."""
        note = await self.root.fetchval("SELECT note FROM checkpoints WHERE size = $1", size)
        return open_checkpoint(note, [SIGNER.verifier])

    async def verify(
        self, *kept: Checkpoint, keys: Sequence[Signer] = (SIGNER,), since: Checkpoint | None = None
    ) -> Verdict:
        """What verify finds."""
        asked = Asked([signer.verifier for signer in keys], kept, since)
        return await verify(self.store, asked, lambda _done, _total: None)

    async def found(self, *kept: Checkpoint) -> tuple[str, str] | None:
        """Kind and row of the first thing that does not fit."""
        findings = (await self.verify(*kept)).findings
        return (findings[0].kind, findings[0].row) if findings else None


async def connect(url: str) -> Any:
    """A bare connection that sees all tenants; asyncpg has no types."""
    return await cast("Any", asyncpg).connect(url, server_settings={SETTING: EVERYTHING})


@asynccontextmanager
async def database(servers: Servers, template: str, *, short_ids: bool = True) -> AsyncGenerator[Ledger]:
    """A copy of that database, which nobody uses. `short_ids`: entries are 1, 2, 3, as they were before there were months."""
    name = f"sealing_{uuid.uuid4().hex[:12]}"
    above = await connect(servers.url("postgres", "postgres"))
    await above.execute(f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE "{template}"')
    root = await connect(servers.url("postgres", name))
    if short_ids:
        await root.execute(_SHORT_IDS)
    owner = servers.url("hookledger_owner", name)
    try:
        yield Ledger(Store(url=servers.url("hookledger_app", name), owner_url=owner), root)
    finally:
        await root.close()
        await above.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await above.close()


async def fill(ledger: Ledger) -> None:
    """Sixty entries in six checkpoints, four that wait; seven people."""
    for n in range(40):
        more: dict[str, Any] = {"application": "hr", "acting_for": "somebody"} if n % 3 else {}
        if n % 5 == 4:
            more |= {"hook": "validateUser", "verdict": "refused", "person": None}
        await ledger.receive(f"person{n % 7}", **more)
    await ledger.sql(_SETTLED)
    await ledger.seal()
    await ledger.receive(*(f"person{n}" for n in range(WAITING)))


def at(hours: float) -> str:
    """A time so many hours ago, for SQL."""
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
