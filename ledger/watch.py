"""Finds intentions that nothing followed, and what came after all: the steps of one round of the watch.

A step is one transaction that also moves its mark, so a round that is cut off anywhere has done each thing once or not.
What it scans are the deliveries' own entries, by `entries.at`: the store's one clock, whatever the hosts' clocks say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

WATCHERS_LOCK = 0x486F6F6C
"""Advisory lock: one step at a time, however many workers."""
MOST = 5_000
"""Entries that one step looks at."""
_CLOSING = ""
"""The mark of the search for what closes gaps, which is by no single hook."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should follow one intention, and until when."""

    hook: str
    window: timedelta
    facts: tuple[str, ...]
    """Any of them confirms it."""
    upto: tuple[str, ...]
    """The intentions of its chain up to itself: they are unconfirmed together with it."""
    onward: tuple[str, ...]
    """The intentions of its chain from itself on: a later one of them takes its place."""
    creates: bool
    """The fact may be stored under the new subject of somebody who came back."""
    moot: tuple[str, ...]
    """Facts of a person's whole record: one that tells of their archiving ends the waiting. None: nothing does."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `full`: there was more than it may look at, so another should follow."""

    gaps: int
    full: bool


@dataclass(frozen=True, slots=True)
class _Range:
    begin: datetime
    until: datetime
    full: bool


# Whatever is not visible yet was written by a transaction that is still open, so its entries are younger than the
# start of the oldest of those: no mark goes beyond it, nor beyond the start of this one. Who has only read has no
# transaction id yet, so an export of minutes holds nothing up. What they write later may be older than this moment by
# one statement's wait for a lock. For that, for sessions of another role, which do not show when theirs began, and for
# a clock that a failover set back, a minute is looked at twice.
_RANGE = text("""
    WITH bounds AS (
        SELECT coalesce((SELECT w.until FROM watched w WHERE w.tenant = :tenant AND w.hook = :hook), 'epoch') AS mark,
               least(transaction_timestamp() - CAST(:window AS interval),
                     (SELECT min(a.xact_start) FROM pg_stat_activity a WHERE a.datname = current_database()
                         AND a.pid <> pg_backend_pid() AND a.backend_xid IS NOT NULL)) AS until
    ), cut AS (
        SELECT b.mark, b.until, (SELECT e.at FROM entries e WHERE e.tenant = :tenant AND e.at >= b.mark AND e.at < b.until
                                  ORDER BY e.at OFFSET :most LIMIT 1) AS at
          FROM bounds b
    )
    SELECT mark - interval '1 minute' AS begin, at IS NOT NULL AS full,
           CASE WHEN at > mark THEN at
                WHEN at = mark THEN coalesce((SELECT min(e.at) FROM entries e
                                               WHERE e.tenant = :tenant AND e.at > mark AND e.at < cut.until), cut.until)
                ELSE greatest(mark, cut.until) END AS until
      FROM cut
""")
_MARK = text("""
    INSERT INTO watched (tenant, hook, until) VALUES (:tenant, :hook, :until)
    ON CONFLICT (tenant, hook) DO UPDATE SET until = excluded.until
""")
# Every look-up below is by key; a plan made while a table was small must not read it whole once it is large.
_ALONE = text("""
    SELECT pg_try_advisory_xact_lock(:key), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
""")


async def only_watcher(connection: AsyncConnection) -> bool:
    """Whether this transaction is the one that watches."""
    return bool((await connection.execute(_ALONE, {"key": WATCHERS_LOCK})).scalar_one())


async def _range(connection: AsyncConnection, tenant: str, hook: str, window: timedelta, most: int) -> _Range:
    values = {"tenant": tenant, "hook": hook, "window": window, "most": most}
    row = (await connection.execute(_RANGE, values)).one()
    await connection.execute(_MARK, {"tenant": tenant, "hook": hook, "until": row.until})
    return _Range(row.begin, row.until, row.full)


_SILENT = text("""
    SELECT d.id, d.verdict <> 'refused'
           AND NOT (:archivable AND EXISTS (SELECT 1 FROM identities i
                                             WHERE i.subject = d.subject AND i.archived_at > d.received_at)) AS expected
      FROM (SELECT DISTINCT e.delivery FROM entries e
             WHERE e.tenant = :tenant AND e.at >= :begin AND e.at < :until AND e.hook = :hook AND e.activity IS NULL) e
      JOIN deliveries d ON d.id = e.delivery
     WHERE d.hook = :hook AND d.subject IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM deliveries l
                        WHERE l.subject = d.subject AND l.seq > d.seq AND l.hook = ANY (CAST(:followers AS text[]))
                          AND l.application IS NOT DISTINCT FROM d.application)
       AND NOT (:creates AND EXISTS (SELECT 1 FROM subjects s JOIN deliveries l ON l.subject = s.id
                                      WHERE s.rehire_of = d.subject AND s.created_at > d.received_at
                                        AND l.hook = ANY (CAST(:followers AS text[]))))
""")
_OPEN = text("""
    WITH opened AS (
        INSERT INTO gaps (delivery, tenant, subject, seq, hook, application, expected, since, found_at)
        SELECT d.id, d.tenant, d.subject, d.seq, d.hook, d.application, CAST(:facts AS text[]), d.received_at,
               clock_timestamp()
          FROM deliveries d WHERE d.id = ANY (CAST(:deliveries AS uuid[])) ORDER BY d.id
        ON CONFLICT (delivery) DO NOTHING
        RETURNING delivery
    )
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for, code_version,
                         rules_hash, detail, commitment)
    SELECT clock_timestamp(), d.tenant, d.subject, d.id, d.seq, d.hook, d.application, 'unconfirmed', d.actor, d.acting_for,
           :code_version, d.rules_hash,
           jsonb_build_object('expected', CAST(:facts AS text[]), 'window', extract(epoch FROM CAST(:window AS interval))::float8),
           d.commitment
      FROM opened o JOIN deliveries d ON d.id = o.delivery ORDER BY d.id
    RETURNING delivery
""")
_DROPPED = """
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, actor, acting_for,
                         code_version, rules_hash, commitment)
    SELECT clock_timestamp(), x.tenant, x.subject, x.delivery, x.seq, x.hook, x.application, x.activity, 'unconfirmed',
           d.actor, d.acting_for, :code_version, d.rules_hash, d.commitment
      FROM dropped x JOIN deliveries d ON d.id = x.delivery ORDER BY x.delivery, x.activity
"""
_DROP = text(f"""
    WITH dropped AS (
        UPDATE work w SET state = 'settled', outcome = 'unconfirmed', settled_at = clock_timestamp()
          FROM deliveries s
         WHERE s.id = ANY (CAST(:deliveries AS uuid[])) AND w.subject = s.subject AND w.state = 'waiting'
           AND w.seq <= s.seq AND w.hook = ANY (CAST(:upto AS text[])) AND w.application IS NOT DISTINCT FROM s.application
        RETURNING w.delivery, w.activity, w.subject, w.seq, w.tenant, w.hook, w.application
    ) {_DROPPED}
""")
# Rows that a delivery is just now holding again are left to it: waiting for them could wait for each other.
_FREE = text("""
    DELETE FROM holds h USING (
        SELECT x.ctid FROM deliveries s JOIN holds x ON x.subject = s.subject JOIN deliveries held ON held.id = x.delivery
         WHERE s.id = ANY (CAST(:deliveries AS uuid[])) AND held.seq <= s.seq FOR UPDATE OF x SKIP LOCKED) AS mine
     WHERE h.ctid = mine.ctid
""")


async def judge(
    connection: AsyncConnection, tenant: str, what: Expectation, code_version: str, most: int = MOST
) -> Step:
    """Opens a gap for each intention whose window has passed in silence, drops what waited for it, frees its holds.

    A refused intention and one whose person was archived since are no gap, but nothing waits for them any more.
    """
    seen = await _range(connection, tenant, what.hook, what.window, most)
    values: dict[str, Any] = {
        "tenant": tenant,
        "hook": what.hook,
        "begin": seen.begin,
        "until": seen.until,
        "followers": [*what.facts, *what.onward],
        "creates": what.creates,
        "archivable": bool(what.moot),
    }
    silent = list(await connection.execute(_SILENT, values))
    if not silent:
        return Step(0, seen.full)
    ids = {"deliveries": [row.id for row in silent], "code_version": code_version}
    expected = [row.id for row in silent if row.expected]
    opened: Sequence[UUID] = ()
    if expected:
        gap = ids | {"deliveries": expected, "facts": list(what.facts), "window": what.window}
        opened = (await connection.execute(_OPEN, gap)).scalars().all()
    await connection.execute(_DROP, ids | {"upto": list(what.upto)})
    await connection.execute(_FREE, {"deliveries": expected})
    return Step(len(opened), seen.full)


_CLOSE = text("""
    WITH rule AS (
        SELECT * FROM unnest(CAST(:hooks AS text[]), CAST(:closers AS text[]), CAST(:words AS text[]),
                             CAST(:creates AS boolean[])) AS r (hook, closer, word, creates)
    ), came AS (
        SELECT DISTINCT e.delivery, e.subject, e.seq, e.hook, e.application FROM entries e
         WHERE e.tenant = :tenant AND e.at >= :begin AND e.at < :until AND e.activity IS NULL AND e.subject IS NOT NULL
           AND e.hook = ANY (CAST(:closers AS text[]))
    ), closing AS (
        SELECT DISTINCT ON (g.delivery) g.delivery, c.delivery AS by, r.word
          FROM came c JOIN subjects s ON s.id = c.subject
          JOIN gaps g ON g.subject = ANY (ARRAY[c.subject, s.rehire_of]) AND g.closed_at IS NULL
          JOIN rule r ON r.hook = g.hook AND r.closer = c.hook
         WHERE CASE WHEN g.subject <> c.subject THEN r.creates AND s.created_at > g.since
                    WHEN c.seq <= g.seq THEN false
                    WHEN r.word = 'no longer expected'
                    THEN EXISTS (SELECT 1 FROM identities i WHERE i.subject = g.subject AND i.archived_at > g.since)
                    ELSE c.application IS NOT DISTINCT FROM g.application END
         ORDER BY g.delivery, r.word, c.seq
    ), closed AS (
        UPDATE gaps g SET closed_as = x.word, closed_by = x.by, closed_at = clock_timestamp()
          FROM closing x WHERE g.delivery = x.delivery AND g.closed_at IS NULL
        RETURNING g.delivery, g.closed_as, g.closed_by, g.closed_at - g.since AS after
    )
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for, code_version,
                         rules_hash, detail, commitment)
    SELECT clock_timestamp(), d.tenant, d.subject, d.id, d.seq, d.hook, d.application, x.closed_as, d.actor, d.acting_for,
           :code_version, d.rules_hash,
           jsonb_build_object('by', x.closed_by, 'after', round(extract(epoch FROM x.after))), d.commitment
      FROM closed x JOIN deliveries d ON d.id = x.delivery ORDER BY d.id
    RETURNING delivery
""")
# receive() confirms what waits under the fact's own subject.
_CONFIRM = text("""
    UPDATE work w SET state = 'planned', due = clock_timestamp(), settled_at = NULL, outcome = NULL
      FROM (SELECT DISTINCT s.rehire_of, e.application FROM entries e JOIN subjects s ON s.id = e.subject
             WHERE e.tenant = :tenant AND e.at >= :begin AND e.at < :until AND e.activity IS NULL
               AND e.hook = ANY (CAST(:facts AS text[])) AND s.rehire_of IS NOT NULL) AS came
     WHERE w.subject = came.rehire_of AND w.hook = :hook AND w.application IS NOT DISTINCT FROM came.application
       AND (w.state = 'waiting' OR w.outcome = 'unconfirmed')
""")


async def close(
    connection: AsyncConnection,
    tenant: str,
    whats: Sequence[Expectation],
    code_version: str,
    most: int = MOST,
) -> Step:
    """Closes gaps whose fact has come late, whose chain went on, or whose person was archived; each with an entry."""
    seen = await _range(connection, tenant, _CLOSING, timedelta(0), most)
    rules = [
        (what.hook, closer, word, what.creates)
        for what in whats
        for closers, word in (
            (what.facts, "confirmed late"),
            (what.onward, "taken up"),
            (what.moot, "no longer expected"),
        )
        for closer in closers
    ]
    hooks, closers, words, creates = zip(*rules, strict=True)
    span: dict[str, Any] = {"tenant": tenant, "begin": seen.begin, "until": seen.until}
    for what in whats:
        if what.creates:
            await connection.execute(_CONFIRM, span | {"hook": what.hook, "facts": list(what.facts)})
    values = span | {
        "hooks": list(hooks),
        "closers": list(closers),
        "words": list(words),
        "creates": list(creates),
        "code_version": code_version,
    }
    closed = (await connection.execute(_CLOSE, values)).scalars().all()
    return Step(len(closed), seen.full)


_DROP_OVERDUE = text(f"""
    WITH dropped AS (
        UPDATE work SET state = 'settled', outcome = 'unconfirmed', settled_at = clock_timestamp()
         WHERE settled_at IS NULL AND state = 'waiting' AND due <= clock_timestamp()
        RETURNING delivery, activity, subject, seq, tenant, hook, application
    ) {_DROPPED}
""")


async def drop_overdue(connection: AsyncConnection, code_version: str) -> None:
    """Drops work whose own window was shorter than its hook's, with an entry each."""
    await connection.execute(_DROP_OVERDUE, {"code_version": code_version})


_COUNT = text("SELECT count(*) FROM gaps WHERE tenant = :tenant AND closed_at IS NULL")


async def count_open(connection: AsyncConnection, tenant: str) -> int:
    """A tenant's open gaps."""
    return (await connection.execute(_COUNT, {"tenant": tenant})).scalar_one()
