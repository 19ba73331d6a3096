"""The newest checkpoint, for whoever asks; and how far sealing has come."""

from dataclasses import dataclass
from datetime import datetime

from ledger.access import FITS, FITS_NOT
from ledger.engine import Statements

_NEWEST = "SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1"
# The queue is a heap that is filled at its end: its first rows are the oldest.
_STATE = """
    SELECT (SELECT size FROM checkpoints ORDER BY number DESC LIMIT 1),
           (SELECT at FROM checkpoints ORDER BY number DESC LIMIT 1),
           (SELECT count(*) FROM (SELECT 1 FROM unsealed LIMIT 1000000) AS queued),
           (SELECT min(at) FROM (SELECT (SELECT at FROM entries e WHERE e.id = u.entry) AS at
                                   FROM unsealed u LIMIT 1000) AS first)
"""


# A look at the newest readings and deeds: whoever verifies seldom is told that nobody has for long.
_VERIFIED = """
    SELECT q.at, q.actor, q.outcome, (q.detail->>'size')::bigint, (q.detail->>'findings')::bigint
      FROM (SELECT e.at, e.id, e.actor, e.outcome, e.detail, e.hook FROM entries e
             WHERE e.tenant = $1 AND e.hook IN ('operator', 'access') ORDER BY e.at DESC, e.id DESC LIMIT 10000) AS q
     WHERE q.hook = 'access' AND q.outcome = ANY ($2::text[]) ORDER BY q.at DESC, q.id DESC LIMIT 1
"""


async def newest_note(pool: Statements) -> str | None:
    """The signed note; None before the first."""
    return await pool.fetchval(_NEWEST)


@dataclass(frozen=True, slots=True)
class SealingState:
    """How far sealing has come. `waiting` is counted up to a million; `oldest` of them is what happened first."""

    size: int
    sealed_at: datetime | None
    waiting: int
    oldest: datetime | None


async def read_sealing(pool: Statements) -> SealingState:
    """As it stands now."""
    row = await pool.fetchrow(_STATE) or (None, None, 0, None)
    return SealingState(row[0] or 0, row[1], row[2], row[3])


@dataclass(frozen=True, slots=True)
class Verified:
    """When the whole ledger was last verified, by whom, up to which size of the tree; `findings`: what did not fit."""

    at: datetime
    actor: str
    outcome: str
    size: int
    findings: int


async def last_verified(pool: Statements, tenant: str) -> Verified | None:
    """The newest verification that this tenant's entries tell of; None if there is none lately."""
    row = await pool.fetchrow(_VERIFIED, tenant, [FITS, FITS_NOT])
    return Verified(*row) if row else None
