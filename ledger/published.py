"""The newest checkpoint, for whoever asks; and how far sealing has come."""

from dataclasses import dataclass
from datetime import datetime

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
