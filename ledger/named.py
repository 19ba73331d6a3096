"""Whom a login, a platform id or a pseudonym names, and what people are called now."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Named:
    """One person that a name was found to name now."""

    subject: UUID
    tenant: str


_FIND = text("""
    SELECT s.id, s.tenant FROM subjects s
     WHERE s.id IN (SELECT h.subject FROM handles h WHERE h.until IS NULL AND h.value = ANY (CAST(:names AS text[]))
                    UNION SELECT unnest(CAST(:ids AS uuid[])))
       AND (CAST(:tenant AS text) IS NULL OR s.tenant = :tenant)
     ORDER BY s.tenant, s.id
""")
_LOGINS = text("""
    SELECT DISTINCT ON (subject) subject, value FROM handles
     WHERE kind = 'login' AND subject = ANY (CAST(:subjects AS uuid[])) ORDER BY subject, until DESC NULLS FIRST
""")


_EVER = text("""
    SELECT DISTINCT s.id FROM subjects s
     WHERE s.tenant = :tenant
       AND s.id IN (SELECT h.subject FROM handles h WHERE h.tenant = :tenant AND h.until IS NULL
                       AND h.kind IN ('id', 'login') AND h.value = ANY (CAST(:names AS text[]))
                    UNION ALL
                    SELECT h.subject FROM handles h WHERE h.tenant = :tenant AND h.until IS NOT NULL
                       AND h.kind IN ('id', 'login') AND h.value = ANY (CAST(:names AS text[]))
                    UNION ALL SELECT unnest(CAST(:ids AS uuid[])))
     ORDER BY s.id
""")


async def ever_named(connection: AsyncConnection, names: Collection[str], tenant: str) -> list[UUID]:
    """The people of a tenant whom one of these names names now or ever named, by pseudonym."""
    values = {"names": sorted(names), "ids": sorted({i for i in map(_as_id, names) if i}), "tenant": tenant}
    return list((await connection.execute(_EVER, values)).scalars())


async def find_people(connection: AsyncConnection, names: Collection[str], tenant: str | None) -> list[Named]:
    """The people whom one of these names names now, in one tenant or in any."""
    values = {"names": list(names), "ids": [i for i in map(_as_id, names) if i], "tenant": tenant}
    rows = await connection.execute(_FIND, values)
    return [Named(row.id, row.tenant) for row in rows]


async def logins(connection: AsyncConnection, subjects: Iterable[UUID | None]) -> dict[UUID, str]:
    """The latest login of each of these people; one whose names were erased is missing."""
    known = {subject for subject in subjects if subject is not None}
    return {row.subject: row.value for row in await connection.execute(_LOGINS, {"subjects": sorted(known)})}


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
