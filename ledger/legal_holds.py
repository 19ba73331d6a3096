"""Legal holds: whose records must stay, since when, by whom; each placing and releasing is an entry."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import NoSuchWork, Order, operate


@dataclass(frozen=True, slots=True)
class LegalHold:
    """One that stands. `id` is the receipt of the deed that placed it."""

    id: UUID
    tenant: str
    subject: UUID
    placed_by: str
    since: datetime


_PLACE = text("""
    INSERT INTO legal_holds (id, tenant, subject, placed_by, since)
    VALUES (:id, :tenant, :subject, :actor, clock_timestamp())
""")
_STANDING = text("""
    SELECT id, tenant, subject, placed_by, since FROM legal_holds
     WHERE released_at IS NULL AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
       AND (CAST(:subject AS uuid) IS NULL OR subject = :subject)
     ORDER BY since, id
""")
_RELEASE = text("""
    UPDATE legal_holds SET released_by = :actor, released_at = clock_timestamp()
     WHERE id = :id AND tenant = :tenant AND released_at IS NULL RETURNING subject
""")


async def place(connection: AsyncConnection, order: Order) -> None:
    """Holds everything of the order's person; commits nothing itself. Raises NoSuchWork."""
    done = await operate(connection, order)
    values = {"id": order.new_id, "tenant": done.tenant, "subject": done.subject, "actor": order.actor}
    await connection.execute(_PLACE, values)


async def release(connection: AsyncConnection, order: Order, id_: UUID) -> None:
    """Ends one hold. Raises NoSuchWork if it does not stand in the order's tenant."""
    values = {"id": id_, "tenant": order.tenant, "actor": order.actor}
    if (await connection.execute(_RELEASE, values)).first() is None:
        raise NoSuchWork("no such legal hold that is not released yet")
    await operate(connection, order)


async def standing(
    connection: AsyncConnection, tenant: str | None = None, subject: UUID | None = None
) -> list[LegalHold]:
    """Those that stand, of a tenant or a person."""
    rows = await connection.execute(_STANDING, {"tenant": tenant, "subject": subject})
    return [LegalHold(*row) for row in rows]
