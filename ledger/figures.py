"""How the store stands in numbers: work, checkpoints, erasures, vault; each found by an index, counted up to a bound."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from ledger.engine import Statements
from ledger.work import SHOULD_RUN, STILL_OPEN

MOST = 100_000
"""Rows that are counted; beyond it the answer is this number, in bounded time."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Ages in seconds. `work` is tenant, activity, state (`open`, `held`, `failed`), count."""

    work: tuple[tuple[str, str, str, int], ...]
    oldest: float
    lanes_held: int
    checkpoint_age: float | None
    """Before the first, since the first entry; None where there is none."""
    unsealed: int
    erasures_due: int
    vault: int
    brakes: int
    incidents: tuple[tuple[str, str, int], ...] = ()
    """Tenant, activity, how many are open."""


async def reached(statements: Statements) -> None:
    """Whether the store answers and is migrated; raises what a lost store raises."""
    await statements.fetchval("SELECT 1 FROM deliveries WHERE false")


async def takes_hooks(statements: Statements) -> None:
    """The same, and whether it would keep a hook; raises what a store that would not raises when one comes."""
    row = await statements.fetchrow(_KEEPS)
    if row is None or row[0]:
        raise asyncpg.ReadOnlySQLTransactionError
    if not row[1]:
        raise asyncpg.InsufficientPrivilegeError


_KEEPS = """
    SELECT current_setting('transaction_read_only')::boolean, has_table_privilege('deliveries', 'INSERT'),
           (SELECT 1 FROM deliveries WHERE false)
"""


def why_away(wrong: Exception, otherwise: str = "out of reach") -> str:
    """In a few words, for who asks whether we are ready."""
    if isinstance(wrong, asyncpg.ReadOnlySQLTransactionError):
        return "read-only: a standby, or default_transaction_read_only is on"
    if isinstance(wrong, asyncpg.InsufficientPrivilegeError):
        return "closed to the role in store.url: it may not write"
    return otherwise


async def read_figures(statements: Statements) -> Figures:
    """One round trip. Raises what a lost store raises."""
    row = await statements.fetchrow(_FIGURES, MOST)
    if row is None:
        raise ConnectionError
    columns: list[list[Any]] = [row[n] or [] for n in range(4)]
    broken: list[list[Any]] = [row[n] or [] for n in range(11, 13)]
    open_ = tuple((tenant, activity, 1) for tenant, activity in zip(*broken, strict=True))
    return Figures(tuple(zip(*columns, strict=True)), *row[4:11], incidents=open_)


_FIGURES = f"""
    WITH open AS MATERIALIZED (
        SELECT tenant, activity, subject, lane, seq, state, due, let_go FROM work WHERE settled_at IS NULL LIMIT $1
    ), {SHOULD_RUN}, unsettled AS (
        SELECT tenant, activity, CASE state WHEN 'held' THEN 'held' ELSE 'open' END AS state, count(*) AS times
          FROM open GROUP BY 1, 2, 3
    ), failed AS (
        SELECT tenant, activity, 'failed' AS state, count(*) AS times
          FROM (SELECT tenant, activity FROM work
                 WHERE (state = 'held' OR outcome IN ('failed', 'refused', 'secret_gone')) AND settled_at IS NOT NULL
                 LIMIT $1) AS f GROUP BY 1, 2
    ), counted AS (
        SELECT * FROM unsettled UNION ALL SELECT * FROM failed
    )
    SELECT array_agg(tenant ORDER BY tenant, activity, state), array_agg(activity ORDER BY tenant, activity, state),
           array_agg(state ORDER BY tenant, activity, state), array_agg(times ORDER BY tenant, activity, state),
           coalesce(extract(epoch FROM clock_timestamp() - (SELECT due FROM should_run ORDER BY due LIMIT 1))::float8, 0),
           (SELECT count(DISTINCT (subject, lane))
              FROM (SELECT subject, lane FROM work w WHERE state = 'held' AND {STILL_OPEN} LIMIT $1) AS h),
           extract(epoch FROM clock_timestamp() - coalesce(
               (SELECT at FROM checkpoints ORDER BY number DESC LIMIT 1),
               (SELECT at FROM entries ORDER BY id LIMIT 1)))::float8,
           (SELECT count(*) FROM (SELECT 1 FROM unsealed LIMIT $1) AS u),
           (SELECT count(*) FROM erasures_due WHERE ended_at IS NULL AND due <= clock_timestamp()),
           (SELECT count(*) FROM (SELECT 1 FROM vault LIMIT $1) AS v),
           (SELECT count(*) FROM brakes WHERE stopped_at IS NOT NULL),
           (SELECT array_agg(tenant ORDER BY tenant, activity) FROM incidents WHERE closed_at IS NULL),
           (SELECT array_agg(activity ORDER BY tenant, activity) FROM incidents WHERE closed_at IS NULL)
      FROM counted
"""
