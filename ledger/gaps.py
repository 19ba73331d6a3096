"""Silent gaps as they stand, for those who ask (docs/contract.md); `ledger.watch` finds and closes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Question:
    """Which gaps. `since` is about when the intention came; `closed` asks for those that are over, too."""

    tenants: Sequence[str]
    since: datetime | None = None
    hook: str | None = None
    closed: bool = False
    most: int = 100


@dataclass(frozen=True, slots=True)
class Gap:
    """An intention that nothing followed in its window."""

    since: datetime
    tenant: str
    subject: UUID
    login: str | None
    hook: str
    application: str | None
    expected: Sequence[str]
    """The facts any of which confirms it."""
    delivery: UUID
    found_at: datetime
    dropped: int
    """Pieces of work that wait for a late fact now."""
    closed_as: str | None
    """confirmed late, taken up or no longer expected; None while it is open."""
    closed_by: UUID | None
    closed_at: datetime | None


_FIND = text("""
    SELECT g.since, g.tenant, g.subject, h.value AS login, g.hook, g.application, g.expected, g.delivery, g.found_at,
           (SELECT count(*) FROM work w WHERE w.subject = g.subject AND w.outcome = 'unconfirmed' AND w.seq <= g.seq
               AND w.application IS NOT DISTINCT FROM g.application AND g.closed_at IS NULL) AS dropped,
           g.closed_as, g.closed_by, g.closed_at
      FROM gaps g
      LEFT JOIN LATERAL (SELECT value FROM handles WHERE subject = g.subject AND kind = 'login'
                          ORDER BY until DESC NULLS FIRST LIMIT 1) h ON true
     WHERE g.tenant = ANY (CAST(:tenants AS text[])) AND (:closed OR g.closed_at IS NULL)
       AND g.since >= coalesce(CAST(:since AS timestamptz), '-infinity')
       AND (CAST(:hook AS text) IS NULL OR g.hook = :hook)
     ORDER BY g.since DESC, g.delivery LIMIT :most
""")


async def find_gaps(connection: AsyncConnection, question: Question) -> list[Gap]:
    """The newest first."""
    values = {
        "tenants": list(question.tenants),
        "since": question.since,
        "hook": question.hook,
        "closed": question.closed,
        "most": question.most,
    }
    return [Gap(*row) for row in await connection.execute(_FIND, values)]
