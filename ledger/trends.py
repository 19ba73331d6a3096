"""What the overview draws: how many hooks came by hour or day, and how much work failed, by activity."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Came:
    """How often a hook came in one stretch of time, which begins at `at`."""

    at: datetime
    hook: str
    times: int


@dataclass(frozen=True, slots=True)
class Broken:
    """How much work of an activity is failed, refused, without its secret, or held; `since` the oldest was due."""

    activity: str
    state: str
    times: int
    since: datetime


_CAME = text("""
    SELECT date_bin(CAST(:step AS interval), d.received_at, CAST(:since AS timestamptz)) AS at, d.hook, count(*) AS times
      FROM deliveries d
     WHERE d.tenant = :tenant AND d.received_at >= :since AND d.received_at < :until
       AND d.hook NOT IN ('operator', 'import', 'reconcile')
     GROUP BY 1, 2 ORDER BY 1, 2
""")
_BROKEN = text("""
    SELECT w.activity, CASE WHEN w.state = 'held' THEN 'held' ELSE w.outcome END AS state, count(*) AS times,
           min(w.due) AS since
      FROM work w
     WHERE w.tenant = :tenant AND (w.state = 'held' OR w.outcome IN ('failed', 'refused', 'secret_gone'))
       AND (w.state = 'held' OR w.state = 'settled')
     GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
""")


async def hooks_over_time(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime, step: timedelta
) -> Sequence[Came]:
    """Stretches of `step` from `since` on in which a hook came at all."""
    values = {"tenant": tenant, "since": since, "until": until, "step": step}
    return [Came(*row) for row in await connection.execute(_CAME, values)]


async def broken_work(connection: AsyncConnection, tenant: str) -> Sequence[Broken]:
    """By activity, the most first."""
    return [Broken(*row) for row in await connection.execute(_BROKEN, {"tenant": tenant})]
