"""How the store stands in numbers: work, checkpoints, erasures, vault; each found by an index, counted up to a bound."""

from dataclasses import dataclass
from typing import Any

from ledger.engine import Statements

MOST = 100_000
"""Rows that are counted; beyond it the answer is this number, in bounded time."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Ages in seconds. `work` is tenant, activity, state (`open`, `held`, `failed`), count."""

    work: tuple[tuple[str, str, str, int], ...]
    oldest: float
    lanes_held: int
    checkpoint_age: float | None
    """None before the first."""
    unsealed: int
    erasures_due: int
    vault: int
    brakes: int
    incidents: tuple[tuple[str, str, int], ...] = ()
    """Tenant, activity, how many are open."""


async def reached(statements: Statements) -> None:
    """Whether the store answers and is migrated; raises what a lost store raises."""
    await statements.fetchval("SELECT 1 FROM deliveries WHERE false")


async def read_figures(statements: Statements) -> Figures:
    """One round trip. Raises what a lost store raises."""
    row = await statements.fetchrow(_FIGURES, MOST)
    if row is None:
        raise ConnectionError
    columns: list[list[Any]] = [row[n] or [] for n in range(4)]
    broken: list[list[Any]] = [row[n] or [] for n in range(11, 13)]
    open_ = tuple((tenant, activity, 1) for tenant, activity in zip(*broken, strict=True))
    return Figures(tuple(zip(*columns, strict=True)), *row[4:11], incidents=open_)


_FIGURES = """
    WITH unsettled AS MATERIALIZED (
        SELECT tenant, activity, subject, lane, state, due FROM work WHERE settled_at IS NULL ORDER BY due LIMIT $1
    ), failed AS MATERIALIZED (
        SELECT tenant, activity FROM work
         WHERE (state = 'held' OR outcome IN ('failed', 'refused', 'secret_gone')) AND settled_at IS NOT NULL LIMIT $1
    ), counted AS (
        SELECT tenant, activity, CASE state WHEN 'held' THEN 'held' ELSE 'open' END AS state, count(*) AS times
          FROM unsettled GROUP BY 1, 2, 3
        UNION ALL
        SELECT tenant, activity, 'failed', count(*) FROM failed GROUP BY 1, 2
    )
    SELECT array_agg(tenant ORDER BY tenant, activity, state), array_agg(activity ORDER BY tenant, activity, state),
           array_agg(state ORDER BY tenant, activity, state), array_agg(times ORDER BY tenant, activity, state),
           coalesce((SELECT extract(epoch FROM clock_timestamp() - min(due))::float8 FROM unsettled
                      WHERE state IN ('planned', 'running') AND due <= clock_timestamp()), 0),
           (SELECT count(DISTINCT (subject, lane)) FROM unsettled WHERE state = 'held'),
           (SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM checkpoints ORDER BY number DESC LIMIT 1),
           (SELECT count(*) FROM (SELECT 1 FROM unsealed LIMIT $1) AS u),
           (SELECT count(*) FROM erasures_due WHERE ended_at IS NULL AND due <= clock_timestamp()),
           (SELECT count(*) FROM (SELECT 1 FROM vault LIMIT $1) AS v),
           (SELECT count(*) FROM brakes WHERE stopped_at IS NOT NULL),
           (SELECT array_agg(tenant ORDER BY tenant, activity) FROM incidents WHERE closed_at IS NULL),
           (SELECT array_agg(activity ORDER BY tenant, activity) FROM incidents WHERE closed_at IS NULL)
      FROM counted
"""
