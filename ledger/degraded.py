"""Answers that were given without the store: what they are called in the ledger, and who got them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PASSED_UNCHECKED = "passed unchecked"
TURNED_AWAY = "turned away"
ANSWERED_UNCHECKED = "answered unchecked"
UNDECIDED = "undecided"
NOT_KEPT = "not kept"
COUNTED = "counted"
"""Answers that a process had no room to remember, and the entry beside it that counts them by hook and answer."""

WOULD_PASS = "would have passed"  # noqa: S105
WOULD_REFUSE = "would have been refused"
WOULD_BE_SAME = "would have been answered the same"
WOULD_DIFFER = "would have been answered otherwise"
WOULD_REMOVE = "would have removed access"
WOULD_LEAVE = "would have left access"
AFTERWARDS = (WOULD_PASS, WOULD_REFUSE, WOULD_BE_SAME, WOULD_DIFFER, WOULD_REMOVE, WOULD_LEAVE, COUNTED)
"""What the check said afterwards: one entry for each of these answers."""


@dataclass(frozen=True, slots=True)
class DegradedAnswer:
    """One answer. `check` is what the check said afterwards, None if none was made; `detail` names nobody."""

    answered_at: datetime
    recorded_at: datetime
    tenant: str
    subject: UUID | None
    login: str | None
    hook: str
    application: str | None
    answer: str
    check: str | None
    detail: dict[str, Any]
    delivery: UUID


_FIND = text("""
    SELECT coalesce(CAST(c.detail->>'answered' AS timestamptz), e.at) AS answered_at, e.at AS recorded_at, e.tenant, e.subject,
           h.value AS login, e.hook, e.application, e.outcome AS answer, c.outcome AS check,
           coalesce(c.detail, '{}') - 'answered' AS detail, e.delivery
      FROM entries e
      LEFT JOIN LATERAL (
           SELECT n.outcome, n.detail FROM entries n
            WHERE n.tenant = e.tenant AND n.at = e.at AND n.delivery = e.delivery AND n.activity IS NULL
              AND n.outcome = ANY (CAST(:afterwards AS text[]))
            LIMIT 1) c ON true
      LEFT JOIN LATERAL (SELECT value FROM handles WHERE subject = e.subject AND kind = 'login'
                          ORDER BY until DESC NULLS FIRST LIMIT 1) h ON true
     WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.at >= :since AND e.activity IS NULL
       AND e.outcome IN ('passed unchecked', 'turned away', 'answered unchecked', 'undecided', 'not kept')
       AND (e.outcome <> 'undecided' OR c.outcome IS NOT NULL)
     ORDER BY e.at DESC, e.id DESC LIMIT :most
""")


async def find_degraded(
    connection: AsyncConnection, tenants: Sequence[str], since: datetime, most: int
) -> list[DegradedAnswer]:
    """Those recorded since then, the newest first. An answer is recorded once the store is back."""
    values = {"tenants": list(tenants), "since": since, "most": most, "afterwards": list(AFTERWARDS)}
    return [DegradedAnswer(*row) for row in await connection.execute(_FIND, values)]
