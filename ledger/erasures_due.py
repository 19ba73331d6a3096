"""Erasures that wait until they are allowed: planned by a deed, carried out by a worker's sweep."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import NoSuchWork, Order, operate


@dataclass(frozen=True, slots=True)
class Due:
    """One that waits. `names` are salted hashes: the code with which they are checked was shown when it was planned."""

    id: UUID
    tenant: str
    subject: UUID
    due: datetime
    actor: str
    code: str
    names: list[str]
    skip_work: bool
    anyway: bool


_COLUMNS = "id, tenant, subject, due, actor, code, names, skip_work, anyway"
_PLAN = text("""
    INSERT INTO erasures_due (id, tenant, subject, due, actor, code, names, skip_work, anyway, asked_at)
    VALUES (:id, :tenant, :subject, :due, :actor, :code, :names, :skip_work, :anyway, clock_timestamp())
    ON CONFLICT (subject) WHERE ended_at IS NULL DO NOTHING RETURNING id
""")
_WITHDRAW = text("""
    UPDATE erasures_due SET ended_at = clock_timestamp(), ended_as = 'withdrawn'
     WHERE subject = :subject AND tenant = :tenant AND ended_at IS NULL RETURNING id
""")
_FIND = text(
    f"SELECT {_COLUMNS} FROM erasures_due WHERE ended_at IS NULL AND due <= clock_timestamp() ORDER BY due LIMIT :most"
)
_WAITING = text(f"""
    SELECT {_COLUMNS} FROM erasures_due
     WHERE ended_at IS NULL AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant) ORDER BY due, id
""")
_PUT_OFF = text(
    "UPDATE erasures_due SET due = greatest(:until, clock_timestamp() + :least) WHERE id = :id AND ended_at IS NULL"
)


async def plan(connection: AsyncConnection, due: Due, order: Order) -> None:
    """Remembers it, and records the deed; commits nothing itself. Raises NoSuchWork if one waits already."""
    values = {name: getattr(due, name) for name in Due.__slots__}
    if (await connection.execute(_PLAN, values)).first() is None:
        raise NoSuchWork("an erasure of this person waits already")
    await operate(connection, order)


async def withdraw(connection: AsyncConnection, order: Order) -> None:
    """Takes back what waits. Raises NoSuchWork."""
    values = {"subject": order.subject, "tenant": order.tenant}
    if (await connection.execute(_WITHDRAW, values)).first() is None:
        raise NoSuchWork("no erasure of this person waits")
    await operate(connection, order)


async def find_due(connection: AsyncConnection, most: int) -> list[Due]:
    """Those whose time has come."""
    return [Due(*row) for row in await connection.execute(_FIND, {"most": most})]


async def waiting(connection: AsyncConnection, tenant: str | None = None) -> list[Due]:
    """All that wait."""
    return [Due(*row) for row in await connection.execute(_WAITING, {"tenant": tenant})]


async def put_off(connection: AsyncConnection, id_: UUID, until: datetime, least: timedelta) -> None:
    """Looks again then, and not before so long."""
    await connection.execute(_PUT_OFF, {"id": id_, "until": until, "least": least})
