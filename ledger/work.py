"""The work that deliveries cause: taken, claimed, settled. Postgres is the arbiter; Temporal only runs it."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger.engine import reading
from ledger.plan import Item, Plan, Ref

BROKEN = "broken"
"""Instead of a switch's mode: an incident is open, and only its probe is claimed."""
MOST_TAKEN = 400
MOST_OF_OTHERS = 100
"""The largest number of items in one take, and how many more it may have of lanes that these leave out: together they keep
the workflow's marker well under Temporal's limit."""


@dataclass(frozen=True, slots=True)
class Write:
    """One SQL statement with `:name` parameters."""

    sql: str
    values: Mapping[str, Any]


Reader = Callable[[Write], Awaitable[list[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A piece of work that this attempt holds until `lease` runs out."""

    ref: Ref
    attempt: int
    plan: Plan
    give_up_at: datetime
    switch: str | None = None
    """shadow or drop, if an operator wants it settled without running; broken, if it is an incident's probe."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A piece of work that had ended before; `entry` is the last that tells of it."""

    ref: Ref
    outcome: str
    entry: int | None


@dataclass(frozen=True, slots=True)
class Busy:
    """The lane is held by another attempt for `seconds` more."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such work."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome to write for one piece of work. `detail` names nobody; `fault` is erasable text."""

    ref: Ref
    attempt: int | None
    """The attempt that settles; None settles whatever attempt there was (Temporal saw the end, bind did not)."""
    outcome: str
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fault: str | None = None
    held: bool = False
    cause: str | None = None
    """Why it failed, in words that name nobody (`activities._breaker`)."""


ANY_SWITCH = "(EXISTS (SELECT 1 FROM switches) OR EXISTS (SELECT 1 FROM incidents WHERE closed_at IS NULL))"
GOES_ON = f"""
    (NOT {ANY_SWITCH} OR NOT EXISTS (
        SELECT 1 FROM work o WHERE o.subject = w.subject AND o.lane = w.lane AND o.seq <= w.seq
           AND o.settled_at IS NULL AND o.state IN ('planned', 'running') AND o.due <= clock_timestamp()
           AND is_kept_back(o.tenant, o.activity, o.subject)))
"""
"""Neither switch nor breaker holds `w`, nor earlier work of its lane. While there are none it costs a look at two indexes."""

_TAKE = f"""
    SELECT w.delivery::text, w.activity, w.seq, w.hook, w.application, w.lane, w.plan,
           extract(epoch FROM w.give_up_at)::float8 AS give_up_at
      FROM work w JOIN subjects s ON s.id = w.subject
     WHERE w.subject = :subject AND w.settled_at IS NULL AND w.state IN ('planned', 'running')
       AND w.due <= clock_timestamp() AND NOT s.paused
       AND NOT EXISTS (SELECT 1 FROM work h WHERE h.subject = w.subject AND h.settled_at IS NULL
                          AND (h.state = 'held' OR h.let_go > clock_timestamp()) AND h.lane = w.lane AND h.seq < w.seq)
       AND {GOES_ON}
"""
_IN_ORDER = " ORDER BY w.seq, w.activity LIMIT :most"
_TAKE_FIRST = text(_TAKE + _IN_ORDER)
# A lane that waits for another activity's work waits here: the run knows only of what it has taken.
_TAKE_OTHERS = text(f"""{_TAKE}
       AND w.lane <> ALL(:lanes)
       AND NOT EXISTS (SELECT 1 FROM work e JOIN work a ON a.delivery = e.delivery AND a.activity = e.plan->>'after'
                        WHERE e.subject = w.subject AND e.lane = w.lane AND e.seq <= w.seq AND e.settled_at IS NULL
                          AND a.settled_at IS NULL AND a.state IN ('planned', 'running'))
    {_IN_ORDER}""")


async def take(connection: AsyncConnection, subject: str) -> list[Item]:
    """A person's unsettled, due work in order: a read, moving no cursor, so it may be repeated at will.

    Where there is more than one take has room for, lanes that have no part in it get some all the same: one that has
    long failed must not keep the others waiting.
    """
    asked = {"subject": UUID(subject), "most": MOST_TAKEN}
    rows = (await connection.execute(_TAKE_FIRST, asked)).all()
    if len(rows) == MOST_TAKEN:
        whole = [row for row in rows if row.seq < rows[-1].seq]  # the last delivery may be cut through
        asked |= {"most": MOST_OF_OTHERS, "lanes": list({row.lane for row in whole})}
        rows = [*whole, *(await connection.execute(_TAKE_OTHERS, asked)).all()]
    return [
        Item(
            ref=Ref(r.delivery, r.activity),
            seq=r.seq,
            hook=r.hook,
            application=r.application,
            lane=r.lane,
            plan=r.plan,
            give_up_at=r.give_up_at,
        )
        for r in rows
    ]


STILL_OPEN = "coalesce(w.settled_at, 'infinity') = 'infinity'"
"""Not settled, in words that no index of open work fits. Which pieces are meant is known by key; where much more is open than
statistics have heard of, the planner would look for them in that index, and read all of it for each of them."""
SHOULD_RUN = f"""
    kept AS MATERIALIZED (
        SELECT p.tenant, p.activity, i.probe
          FROM (SELECT tenant, activity, switch_of(tenant, activity) AS mode
                  FROM (SELECT DISTINCT tenant, activity FROM open WHERE {ANY_SWITCH} OFFSET 0) pairs) p
          LEFT JOIN incidents i ON p.mode = '{BROKEN}' AND i.tenant = p.tenant AND i.activity = p.activity AND i.closed_at IS NULL
         WHERE p.mode IN ('off', '{BROKEN}')
    ), judged AS (
        SELECT *, state IN ('planned', 'running') AND due <= statement_timestamp() AS is_due FROM open
    ), in_order AS (
        SELECT *, bool_or(state = 'held' OR coalesce(let_go > statement_timestamp(), false) OR is_due AND EXISTS (
                              SELECT 1 FROM kept k WHERE k.tenant = j.tenant AND k.activity = j.activity
                                 AND k.probe IS DISTINCT FROM j.subject))
                  OVER (PARTITION BY subject, lane COLLATE "C" ORDER BY seq) AS stands
          FROM judged j
    ), should_run AS (
        SELECT tenant, due FROM (SELECT * FROM in_order WHERE is_due AND NOT stands ORDER BY due OFFSET 0) d
         WHERE NOT (SELECT s.paused FROM subjects s WHERE s.id = d.subject)
    )
"""
"""Tables of a query for which `open` is open work: `should_run` is what should have run by now, tenant and due. It is what `take`
would hand out, for everybody at once, and costs the same whatever stands still: each lane is gone through once, in its order.
A look at earlier work for each piece takes long where one person has a thousand pieces behind a held one."""
_LOCK_LANE = text("""
    SELECT pg_advisory_xact_lock(hashtextextended(w.subject::text || w.lane, 1))
      FROM work w WHERE w.delivery = :delivery AND w.activity = :activity
""")
_BUSY = text("""
    SELECT coalesce(max(extract(epoch FROM o.lease_until - clock_timestamp())), 0)::float8
      FROM work w JOIN work o ON o.subject = w.subject AND o.lane = w.lane
     WHERE w.delivery = :delivery AND w.activity = :activity
       AND o.settled_at IS NULL AND o.state = 'running' AND o.lease_until > clock_timestamp()
""")
_CLAIM = text(f"""
    UPDATE work w
       SET state = 'running', attempt = attempt + 1, claimed_at = clock_timestamp(),
           lease_until = clock_timestamp() + :lease * interval '1 second',
           give_up_at = coalesce(give_up_at, clock_timestamp() + coalesce((plan->>'give_up')::float8, :give_up) * interval '1 second')
     WHERE (delivery, activity) IN (SELECT * FROM unnest(CAST(:deliveries AS uuid[]), CAST(:activities AS text[])))
       AND {STILL_OPEN} AND state IN ('planned', 'running') AND {GOES_ON}
       AND (let_go IS NULL OR let_go <= clock_timestamp())
    RETURNING delivery::text, activity, attempt, plan, give_up_at, seq,
              CASE WHEN {ANY_SWITCH} THEN switch_of(tenant, activity) END AS switch
""")
_ENDED = text("""
    SELECT w.delivery::text, w.activity,
           CASE WHEN w.state IN ('planned', 'running') THEN 'switched off' ELSE coalesce(w.outcome, w.state) END AS outcome,
           (SELECT max(e.id) FROM entries e
             WHERE e.subject = w.subject AND e.delivery = w.delivery AND e.activity = w.activity) AS entry
      FROM work w
     WHERE (delivery, activity) IN (SELECT * FROM unnest(CAST(:deliveries AS uuid[]), CAST(:activities AS text[])))
""")


def _arrays(refs: Sequence[Ref]) -> dict[str, Any]:
    return {"deliveries": [UUID(r.delivery) for r in refs], "activities": [r.activity for r in refs]}


async def claim(
    connection: AsyncConnection, refs: Sequence[Ref], lease: float
) -> Busy | tuple[list[Claimed], list[Settled]]:
    """Claims what is unsettled among `refs`, all of one lane, for `lease` seconds; commits nothing itself.

    Fences: while another attempt on the lane holds a lease, nobody else gets in, whichever run sent them. A lease
    of 0 is for work that claims and settles in one transaction: the lane's lock is fence enough.
    """
    first = {"delivery": UUID(refs[0].delivery), "activity": refs[0].activity}
    await connection.execute(_LOCK_LANE, first)
    if lease > 0:
        wait = (await connection.execute(_BUSY, first)).scalar_one()
        if wait > 0:
            return Busy(wait)
    rows = list(await connection.execute(_CLAIM, _arrays(refs) | {"lease": lease, "give_up": Plan().give_up}))
    claimed = {
        Ref(r.delivery, r.activity): Claimed(
            ref=Ref(r.delivery, r.activity),
            attempt=r.attempt,
            plan=Plan.from_row(r.plan),
            give_up_at=r.give_up_at,
            switch=r.switch,
        )
        for r in rows
    }
    rest = [ref for ref in refs if ref not in claimed]
    ended: list[Settled] = []
    if rest:
        ended = [
            Settled(Ref(r.delivery, r.activity), r.outcome, r.entry)
            for r in await connection.execute(_ENDED, _arrays(rest))
        ]
    return [claimed[ref] for ref in refs if ref in claimed], ended


_SETTLE = text(f"""
    WITH ending AS (
        SELECT * FROM jsonb_to_recordset(CAST(:endings AS jsonb))
            AS e (n int, delivery uuid, activity text, attempt int, outcome text, detail jsonb, held boolean)
    ), settled AS (
        UPDATE work w
           SET state = CASE WHEN e.held THEN 'held' ELSE 'settled' END, outcome = e.outcome, lease_until = NULL,
               settled_at = CASE WHEN e.held THEN NULL ELSE clock_timestamp() END
          FROM ending e
         WHERE w.delivery = e.delivery AND w.activity = e.activity AND {STILL_OPEN} AND w.state <> 'held'
           AND (e.attempt IS NULL OR w.attempt = e.attempt)
        RETURNING w.delivery, w.activity, w.subject, w.seq, w.tenant, w.hook, w.application, w.attempt
    )
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor,
                         acting_for, code_version, rules_hash, detail, commitment)
    SELECT clock_timestamp(), s.tenant, s.subject, s.delivery, s.seq, s.hook, s.application, s.activity, e.outcome,
           nullif(s.attempt, 0), d.actor, d.acting_for, :code_version, d.rules_hash, e.detail, d.commitment
      FROM settled s JOIN ending e ON e.delivery = s.delivery AND e.activity = s.activity
      JOIN deliveries d ON d.id = s.delivery
     ORDER BY e.n
    RETURNING id, delivery::text, activity
""")
_FAULT = text("""
    INSERT INTO faults AS f (delivery, activity, attempt, at, text, cause)
    VALUES (:delivery, :activity, :attempt, clock_timestamp(), :text, :cause)
    ON CONFLICT (delivery, activity) DO UPDATE
       SET attempt = excluded.attempt, at = excluded.at, text = excluded.text, cause = excluded.cause
""")


async def settle(connection: AsyncConnection, endings: Sequence[Ending], code_version: str) -> dict[Ref, int]:
    """Settles and writes one entry each, in the given order; gives the entries' ids.

    A piece that is missing from the result had been settled before, or belongs to a newer attempt: a stale
    attempt loses, and its caller must roll back.
    """
    rows = [
        {
            "n": n,
            "delivery": e.ref.delivery,
            "activity": e.ref.activity,
            "attempt": e.attempt,
            "outcome": e.outcome,
            "detail": dict(e.detail),
            "held": e.held,
        }
        for n, e in enumerate(endings)
    ]
    result = await connection.execute(_SETTLE, {"endings": json.dumps(rows), "code_version": code_version})
    written = {Ref(r.delivery, r.activity): r.id for r in result}
    for e in endings:
        if e.fault is not None and e.ref in written:
            await write_fault(connection, e.ref, e.attempt or 0, e.fault, e.cause)
    return written


async def write_fault(
    connection: AsyncConnection, ref: Ref, attempt: int, fault: str, cause: str | None = None
) -> None:
    """Keeps the last thing an attempt said, where it can be erased. At most 4,000 characters."""
    await connection.execute(
        _FAULT,
        {
            "delivery": UUID(ref.delivery),
            "activity": ref.activity,
            "attempt": attempt,
            "text": fault.replace("\x00", "�")[:4000],
            "cause": cause,
        },
    )


_UNCLAIM = text("""
    UPDATE work SET state = 'planned', lease_until = NULL, give_up_at = CASE WHEN NOT :probe THEN give_up_at END
     WHERE delivery = :delivery AND activity = :activity AND attempt = :attempt AND state = 'running'
""")


async def unclaim(
    connection: AsyncConnection, claimed: Claimed, fault: str, cause: str | None = None
) -> None:
    """Gives the lane back after a failed attempt that will be tried again. For a probe no time to give up runs."""
    values = {
        "delivery": UUID(claimed.ref.delivery),
        "activity": claimed.ref.activity,
        "attempt": claimed.attempt,
        "probe": claimed.switch == BROKEN,
    }
    # Whose person was erased meanwhile has no place for it any more.
    if (await connection.execute(_UNCLAIM, values)).rowcount:
        await write_fault(connection, claimed.ref, claimed.attempt, fault, cause)


_RENEW = text("""
    UPDATE work SET lease_until = clock_timestamp() + :lease * interval '1 second'
     WHERE (delivery, activity, attempt) IN (
               SELECT * FROM unnest(CAST(:deliveries AS uuid[]), CAST(:activities AS text[]), CAST(:attempts AS int[])))
       AND state = 'running'
""")


async def renew(connection: AsyncConnection, claims: Sequence[Claimed], lease: float) -> None:
    """Extends the lease of an attempt that still shows signs of life; a stale one has none to extend."""
    values = _arrays([c.ref for c in claims]) | {"attempts": [c.attempt for c in claims], "lease": lease}
    await connection.execute(_RENEW, values)


_CANCELLED = text("""
    SELECT w.delivery::text, w.activity FROM work w
     WHERE (w.delivery, w.activity) IN (SELECT * FROM unnest(CAST(:deliveries AS uuid[]), CAST(:activities AS text[])))
       AND EXISTS (SELECT 1 FROM deliveries d
                    WHERE d.subject = w.subject AND d.seq > w.seq AND d.verdict NOT IN ('refused', 'turned away')
                      AND w.plan->'cancel_on' ? d.hook)
""")


async def cancelled(connection: AsyncConnection, claims: Iterable[Claimed]) -> set[Ref]:
    """Those among the claimed that a later delivery has cancelled."""
    refs = [c.ref for c in claims if c.plan.cancel_on]
    if not refs:
        return set()
    return {Ref(r.delivery, r.activity) for r in await connection.execute(_CANCELLED, _arrays(refs))}


def reader(engine: AsyncEngine) -> Reader:
    """Runs an activity's SELECTs, each in a transaction of its own that is over when it returns."""

    async def read(query: Write) -> list[Mapping[str, Any]]:
        async with reading(engine) as connection:
            rows = await connection.execute(text(query.sql), dict(query.values))
            return [dict(row) for row in rows.mappings()]

    return read


async def apply_writes(connection: AsyncConnection, writes: Iterable[Write]) -> None:
    """Runs an activity's kept statements on the transaction that settles it."""
    for write in writes:
        await connection.execute(text(write.sql), dict(write.values))
