"""What the sweep asks and tidies: work that nobody rang for, and rows whose time has passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.engine import Pool
from ledger.vault import forget_unneeded
from ledger.work import ANY_SWITCH

SWEEPERS_LOCK = 0x486F6F6B
"""Advisory lock: one sweep at a time, however many workers."""


@dataclass(frozen=True, slots=True)
class Unrung:
    """A person with unsettled, due work. `quiet`: rung or claimed before, but long ago."""

    subject: UUID
    workflow_id: str
    tenant: str
    login: str
    seq: int
    hook: str
    quiet: bool


# As work.GOES_ON, for everybody at once: what holds is asked once for each activity, not for each of ten thousand who wait.
_KEPT_BACK = f"""
    ({ANY_SWITCH} AND EXISTS (
        SELECT 1 FROM work o JOIN kept k ON k.tenant = o.tenant AND k.activity = o.activity
         WHERE o.subject = w.subject AND o.lane = w.lane AND o.seq <= w.seq
           AND o.settled_at IS NULL AND o.state IN ('planned', 'running') AND o.due <= clock_timestamp()
           AND (k.mode = 'off' OR NOT EXISTS (
               SELECT 1 FROM incidents i WHERE i.tenant = o.tenant AND i.activity = o.activity AND i.closed_at IS NULL
                  AND i.probe = o.subject))))
"""
_DUE = """
    w.settled_at IS NULL AND w.state IN ('planned', 'running') AND w.due <= statement_timestamp() - :unrung * interval '1 second'
"""
_FRESH = "(w.attempt = 0 OR w.let_go = w.due)"
_LONG_AGO = "(statement_timestamp() - :quiet * interval '1 second')"
# Piece by piece, as they came due, until enough are found: who was rung and waits for a worker costs one look-up, and only
# of the others is all that they wait for read. Of those who wait there may be a hundred thousand, at every look.
_UNRUNG = f"""
    SELECT s.id AS subject, s.workflow_id, s.tenant, o.seq, o.hook, o.due, o.fresh IS NULL OR o.fresh <= r.rung_at AS quiet
      FROM work w
      LEFT JOIN rings r ON r.subject = w.subject
      JOIN subjects s ON s.id = w.subject AND NOT s.paused
     CROSS JOIN LATERAL (
        SELECT min(w.due) AS due, max(w.claimed_at) AS claimed, max(w.seq) AS seq, max(w.hook) AS hook,
               max(w.due) FILTER (WHERE {_FRESH}) AS fresh
          FROM work w
         WHERE w.subject = s.id AND {_DUE}
           AND NOT EXISTS (SELECT 1 FROM work h WHERE h.subject = w.subject AND h.settled_at IS NULL
                              AND (h.state = 'held' OR h.let_go > clock_timestamp()) AND h.lane = w.lane AND h.seq < w.seq)
           AND NOT {_KEPT_BACK}
        HAVING count(*) > 0) o
     WHERE {_DUE}
       AND ({_FRESH} AND (r.rung_at < w.due) IS NOT FALSE OR greatest(r.rung_at, w.claimed_at, w.due) < {_LONG_AGO})
       AND ((r.rung_at < o.fresh) IS NOT FALSE AND o.fresh IS NOT NULL OR greatest(r.rung_at, o.claimed, o.due) < {_LONG_AGO})
"""
_FIND = text(f"""
    WITH kept AS MATERIALIZED (
        SELECT tenant, activity, switch_of(tenant, activity) AS mode
          FROM (SELECT DISTINCT tenant, activity FROM work WHERE settled_at IS NULL AND {ANY_SWITCH}) pairs
         WHERE switch_of(tenant, activity) IN ('off', 'broken')
    ), found AS (
        (SELECT true AS tried, u.* FROM ({_UNRUNG}
            AND w.subject IN (SELECT probe FROM incidents WHERE closed_at IS NULL AND probe IS NOT NULL)) u)
        UNION ALL
        (SELECT false AS tried, u.* FROM ({_UNRUNG} ORDER BY w.due LIMIT :most) u)
    ), people AS (
        SELECT DISTINCT ON (subject) * FROM found ORDER BY subject, tried DESC
    )
    SELECT c.subject, c.workflow_id, c.tenant, coalesce(h.value, '') AS login, c.seq, c.hook, coalesce(c.quiet, false) AS quiet
      FROM (SELECT * FROM people ORDER BY tried DESC, due LIMIT :most) c
      LEFT JOIN LATERAL (SELECT value FROM handles WHERE subject = c.subject AND kind = 'login'
                          ORDER BY until DESC NULLS FIRST LIMIT 1) h ON true
     ORDER BY c.due
""")


_ALONE = text("SELECT pg_try_advisory_xact_lock(:key), set_config('statement_timeout', '30s', true)")
# By key, in the order of an index, whatever the planner has heard of how much is open; for this transaction.
_BY_KEY = text("""
    SELECT set_config('jit', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true),
           set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
""")


async def only_sweeper(connection: AsyncConnection) -> bool:
    """Whether this transaction is the one that sweeps. Nobody waits for it, so its statements have 30 s each: what it asks
    about is everybody, and a sweep that puts itself off leaves them all alone."""
    return bool((await connection.execute(_ALONE, {"key": SWEEPERS_LOCK})).scalar_one())


async def find_unrung(connection: AsyncConnection, *, unrung: float, quiet: float, most: int) -> list[Unrung]:
    """People whose due work nobody rang for within `unrung` seconds, or that was quiet for `quiet` seconds."""
    await connection.execute(_BY_KEY)
    rows = await connection.execute(_FIND, {"unrung": unrung, "quiet": quiet, "most": most})
    return [Unrung(r.subject, r.workflow_id, r.tenant, r.login, r.seq, r.hook, r.quiet) for r in rows]


_NOTE = """
    INSERT INTO rings (subject, rung_at) SELECT s, clock_timestamp() FROM unnest({}::uuid[]) AS s GROUP BY s ORDER BY s
    ON CONFLICT (subject) DO UPDATE SET rung_at = excluded.rung_at
"""
_NOTE_RUNG = text(_NOTE.format("CAST(:subjects AS uuid[])").replace("::uuid[]", ""))


async def note_rung(connection: AsyncConnection, subjects: Sequence[UUID]) -> None:
    """These people's workflows have been rung just now."""
    await connection.execute(_NOTE_RUNG, {"subjects": list(subjects)})


async def note_rung_by_pool(pool: Pool, subjects: Sequence[UUID]) -> None:
    """The same, on the answer path's pool."""
    await pool.execute(_NOTE.format("$1"), list(subjects))


_TIDY = (
    "DELETE FROM vault WHERE expires_at <= clock_timestamp()",
    "DELETE FROM holds WHERE expires_at <= clock_timestamp() - interval '1 hour'",
    "DELETE FROM recent WHERE at <= clock_timestamp() - interval '10 seconds'",
    "DELETE FROM platform_calls WHERE at <= clock_timestamp() - interval '1 hour'",
)


async def tidy(connection: AsyncConnection) -> None:
    """Empties what has expired, and what nothing needs any more."""
    await forget_unneeded(connection)
    for statement in _TIDY:
        await connection.execute(text(statement))
