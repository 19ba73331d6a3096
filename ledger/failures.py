"""Work that ended badly or is held back, with the last thing it said."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Failure:
    """One piece of work. `fault` is None if nothing was said (a time-out), or if it has been erased."""

    at: datetime
    tenant: str
    subject: UUID
    login: str | None
    hook: str
    application: str | None
    activity: str
    state: str
    """held, failed or refused."""
    attempt: int
    delivery: UUID
    fault: str | None


# Settled work has no index by outcome: entries are found by time, held work by its own partial index.
_FIND = text("""
    WITH bad AS (
        SELECT e.delivery, e.activity FROM entries e
         WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.at >= :since
           AND e.outcome IN ('failed', 'refused') AND e.activity IS NOT NULL
        UNION
        SELECT w.delivery, w.activity FROM work w
         WHERE w.settled_at IS NULL AND w.state = 'held' AND w.tenant = ANY (CAST(:tenants AS text[]))
    )
    SELECT coalesce(w.settled_at, f.at, w.claimed_at, w.due) AS at, w.tenant, w.subject, h.value AS login, w.hook,
           w.application, w.activity, CASE WHEN w.state = 'held' THEN 'held' ELSE w.outcome END AS state, w.attempt,
           w.delivery, f.text AS fault
      FROM bad b
      JOIN work w ON w.delivery = b.delivery AND w.activity = b.activity
       AND (w.state = 'held' OR (w.state = 'settled' AND w.outcome IN ('failed', 'refused')))
      LEFT JOIN faults f ON f.delivery = w.delivery AND f.activity = w.activity
      LEFT JOIN LATERAL (SELECT value FROM handles WHERE subject = w.subject AND kind = 'login'
                          ORDER BY until DESC NULLS FIRST LIMIT 1) h ON true
     ORDER BY 1 DESC, w.delivery, w.activity LIMIT :most
""")


async def find_failures(
    connection: AsyncConnection, tenants: list[str], since: datetime, most: int
) -> list[Failure]:
    """The newest first; held work whatever its age. What a redrive has put right since is not among them."""
    rows = await connection.execute(_FIND, {"tenants": tenants, "since": since, "most": most})
    return [Failure(*row) for row in rows]


_LOCK = text("""
    SELECT s.id FROM subjects s
     WHERE s.tenant = :tenant AND s.id = (SELECT d.subject FROM deliveries d WHERE d.id = :delivery) FOR UPDATE
""")
_BROKEN = text("""
    SELECT true FROM work w
     WHERE w.tenant = :tenant AND w.delivery = :delivery AND w.activity = :activity
       AND (w.state = 'held' OR (w.state = 'settled' AND w.outcome IN ('failed', 'refused', 'secret_gone')))
""")


async def still_broken(connection: AsyncConnection, tenant: str, delivery: UUID, activity: str) -> bool:
    """Whether that work is still failed or held; until the transaction ends, no other deed is done to it."""
    values = {"tenant": tenant, "delivery": delivery}
    await connection.execute(_LOCK, values)
    return bool((await connection.execute(_BROKEN, values | {"activity": activity})).scalar())
