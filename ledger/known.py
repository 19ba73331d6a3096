"""What is known of many people at once: looked up by the names on a page, or read from end to end."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from ledger.engine import Connection


@dataclass(frozen=True, slots=True)
class Known:
    """One person. `told` is whether a fact has come; the rest but the names is from the last one.

    `user` is None before a fact, and once its body has been erased.
    """

    subject: UUID
    platform_id: str | None
    login: str | None
    told: bool
    left: bool
    version: int | None
    updated: str | None
    delivery: UUID | None
    user: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who was told of and has not left, without their body."""

    subject: UUID
    platform_id: str | None
    login: str | None
    delivery: UUID
    """The fact that told of them last."""
    told_at: datetime


_NAMED = text("""
    SELECT h.kind, h.value, h.subject FROM handles h
     WHERE h.tenant = :tenant AND h.kind = 'id' AND h.until IS NULL AND h.value = ANY (CAST(:ids AS text[]))
    UNION ALL
    SELECT h.kind, h.value, h.subject FROM handles h
     WHERE h.tenant = :tenant AND h.kind = 'login' AND h.until IS NULL AND h.value = ANY (CAST(:logins AS text[]))
""")
# All names of a person by one index; a condition on their kind would tempt the planner to read everybody's.
_NAMES = """
    LATERAL (SELECT max(h.value) FILTER (WHERE h.kind = 'id' AND h.until IS NULL) AS platform_id,
                    max(h.value) FILTER (WHERE h.kind = 'login' AND h.until IS NULL) AS login
               FROM handles h WHERE h.subject = {}) AS n
"""
_PEOPLE = text(f"""
    SELECT s.id, n.platform_id, n.login, i.subject IS NOT NULL AS told, i.left_at IS NOT NULL AS left,
           i.version, i.updated, i.delivery, b.body
      FROM subjects s
      JOIN {_NAMES.format("s.id")} ON true
      LEFT JOIN identities i ON i.subject = s.id
      LEFT JOIN bodies b ON b.delivery = i.delivery
     WHERE s.tenant = :tenant AND s.id = ANY (CAST(:subjects AS uuid[]))
""")
# The few are chosen before anything is joined, whatever the planner knows of the tables.
_PRESENT = text(f"""
    WITH few AS MATERIALIZED (
        SELECT i.subject, i.delivery FROM identities i
         WHERE i.tenant = :tenant AND i.subject > :after AND i.left_at IS NULL ORDER BY i.subject LIMIT :most
    )
    SELECT f.subject, n.platform_id, n.login, f.delivery, d.received_at
      FROM few f JOIN deliveries d ON d.id = f.delivery JOIN {_NAMES.format("f.subject")} ON true
     ORDER BY f.subject
""")
_COUNT = text("SELECT count(*) FROM identities WHERE tenant = :tenant AND left_at IS NULL")

FIRST = UUID(int=0)
"""Where reading from end to end begins."""


async def find_known(
    connection: Connection, tenant: str, ids: Collection[str], logins: Collection[str]
) -> tuple[Mapping[str, Known], Mapping[str, Known]]:
    """The people who bear these platform ids, and those who bear these logins (normal forms) now."""
    named = list(
        await connection.execute(_NAMED, {"tenant": tenant, "ids": list(ids), "logins": list(logins)})
    )
    people = await find_subjects(connection, tenant, {row.subject for row in named})
    by_id = {row.value: people[row.subject] for row in named if row.kind == "id"}
    return by_id, {row.value: people[row.subject] for row in named if row.kind == "login"}


async def find_subjects(connection: Connection, tenant: str, subjects: Collection[UUID]) -> dict[UUID, Known]:
    """These people, as they are known now."""
    rows = await connection.execute(_PEOPLE, {"tenant": tenant, "subjects": list(subjects)})
    return {
        row.id: Known(
            subject=row.id,
            platform_id=row.platform_id,
            login=row.login,
            told=row.told,
            left=row.left,
            version=row.version,
            updated=row.updated,
            delivery=row.delivery,
            user=_user(row.body),
        )
        for row in rows
    }


async def present_after(connection: Connection, tenant: str, after: UUID, most: int) -> list[Present]:
    """The people present, in the order of their pseudonyms from `after` on."""
    rows = await connection.execute(_PRESENT, {"tenant": tenant, "after": after, "most": most})
    return [Present(row.subject, row.platform_id, row.login, row.delivery, row.received_at) for row in rows]


async def count_present(connection: Connection, tenant: str) -> int:
    """How many were told of and have not left."""
    return (await connection.execute(_COUNT, {"tenant": tenant})).scalar_one()


async def clock(connection: Connection) -> datetime:
    """The store's time."""
    return (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()


async def only_one(connection: Connection, name: str) -> bool:
    """Whether nobody else holds this name; it is held until the connection ends."""
    taken = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 2))")
    return bool((await connection.execute(taken, {"name": name})).scalar_one())


async def let_go(connection: Connection, name: str) -> None:
    """Gives the name back: the pool keeps the connection."""
    await connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 2))"), {"name": name})


def _user(body: str | None) -> dict[str, Any] | None:
    request = json.loads(body).get("request") if body is not None else None
    user = request.get("user") if isinstance(request, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return user if isinstance(user, dict) else None  # pyright: ignore[reportUnknownVariableType]
