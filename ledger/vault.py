"""The sealed secrets in the store: forgotten once nothing needs them, counted by the key that sealed them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Of a delivery whose work failed it stays for a redrive, and of an unconfirmed one for a fact that comes late, until its
# time is over; also where an attempt took it for gone, since only its time's end makes that sure. What begins otherwise was
# sealed by an earlier release, whose plans do not say who needs it.
_FORGET = text("""
    DELETE FROM vault v
     WHERE (CAST(:delivery AS text) IS NULL OR v.delivery = CAST(CAST(:delivery AS text) AS uuid))
       AND substring(v.sealed FROM 1 FOR 4) = decode('484c5601', 'hex')
       AND NOT EXISTS (SELECT 1 FROM work w
                        WHERE w.delivery = v.delivery AND w.plan->'secret' = 'true'
                          AND (w.settled_at IS NULL
                             OR w.outcome IN ('failed', 'refused', 'secret_gone', 'unconfirmed')))
""")
_COUNT = text("""
    SELECT substring(sealed FROM 1 FOR 10) AS head, count(*) AS secrets, min(expires_at) AS first, max(expires_at) AS last
      FROM vault GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Kept:
    """Secrets that begin alike, which is to say under one key; `first` of them is emptied then, the last at `last`."""

    head: bytes
    secrets: int
    first: datetime
    last: datetime


async def forget_unneeded(connection: AsyncConnection, delivery: str | None = None) -> None:
    """Removes the secret of this delivery, or every secret, that no unfinished work needs."""
    await connection.execute(_FORGET, {"delivery": delivery})


async def count_kept(connection: AsyncConnection) -> list[Kept]:
    """How many secrets there are by key."""
    return [Kept(r.head, r.secrets, r.first, r.last) for r in await connection.execute(_COUNT)]
