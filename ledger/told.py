"""What a page about a person needs beside their entries: who they are now, and where their work stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person. `login` is None if their names were erased; `stage` None if only an attempt to create them came."""

    subject: UUID
    login: str | None
    workflow_id: str
    paused: bool
    stage: str | None
    created_at: datetime
    rehire_of: UUID | None


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work of a delivery, and the last thing it said."""

    activity: str
    state: str
    outcome: str | None
    due: datetime
    attempt: int
    settled_at: datetime | None
    said: str | None


_PEOPLE = text("""
    SELECT s.id, (SELECT h.value FROM handles h WHERE h.tenant = :tenant AND h.subject = s.id AND h.kind = 'login'
                   ORDER BY h.until DESC NULLS FIRST LIMIT 1) AS login,
           s.workflow_id, s.paused, i.stage, s.created_at, s.rehire_of
      FROM subjects s LEFT JOIN identities i ON i.subject = s.id
     WHERE s.tenant = :tenant AND s.id = ANY (CAST(:subjects AS uuid[])) ORDER BY s.created_at
""")
_WORK = text("""
    SELECT w.delivery, w.activity, w.state, w.outcome, w.due, w.attempt, w.settled_at, f.text AS said
      FROM work w LEFT JOIN faults f ON f.delivery = w.delivery AND f.activity = w.activity
     WHERE w.tenant = :tenant AND w.delivery = ANY (CAST(:deliveries AS uuid[]))
     ORDER BY w.delivery, w.settled_at NULLS LAST, w.activity
""")


async def somebodies(
    connection: AsyncConnection, tenant: str, subjects: Collection[UUID]
) -> Sequence[Somebody]:
    """These people of a tenant, whoever came first before the others."""
    values = {"tenant": tenant, "subjects": sorted(subjects)}
    return [Somebody(*row) for row in await connection.execute(_PEOPLE, values)]


async def work_of(
    connection: AsyncConnection, tenant: str, deliveries: Collection[UUID]
) -> Mapping[UUID, Sequence[Piece]]:
    """The work of these deliveries of a tenant."""
    found: dict[UUID, list[Piece]] = {}
    for row in await connection.execute(_WORK, {"tenant": tenant, "deliveries": sorted(deliveries)}):
        found.setdefault(row.delivery, []).append(Piece(*row[1:]))
    return found
