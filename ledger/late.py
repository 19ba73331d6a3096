"""Records an answer that was given without the store, once the store is back; its checks are made now."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ledger.degraded import TURNED_AWAY
from ledger.engine import Pool, Session, within
from ledger.receive import Delivery, Note, Receipt, locks, receive

SPOOLED = "spooled"
"""The entry beside an event's own that was answered while the store was away: when, and that order is by receipt here."""

_LOCK = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k"

# The clashes of receive(), but for values that the person themselves has come to have since the answer.
_LOOK = """
    WITH me AS (
        SELECT h.subject FROM handles h
         WHERE h.tenant = $1 AND h.until IS NULL
           AND ((h.kind = 'id' AND h.value = $2) OR (h.kind = 'login' AND h.value = $3)) ORDER BY h.kind LIMIT 1
    ), mine AS (
        SELECT d.hook, d.application, d.received_at FROM deliveries d JOIN me ON d.subject = me.subject WHERE d.tenant = $1
    )
    SELECT ARRAY(
             SELECT u.attribute FROM unnest($4::text[], $5::text[]) AS u (attribute, value)
              WHERE EXISTS (SELECT 1 FROM known_values k LEFT JOIN me ON me.subject = k.subject
                             WHERE k.tenant = $1 AND k.attribute = u.attribute AND k.value = u.value
                               AND (me.subject IS NULL
                                    OR ($6 = 'create' AND EXISTS (SELECT 1 FROM mine m WHERE m.hook = ANY ($9) AND m.received_at < $8)))
                               AND (k.left_at IS NULL OR $7::interval IS NULL OR k.left_at > clock_timestamp() - $7::interval) OFFSET 0)
                 OR EXISTS (SELECT 1 FROM holds h LEFT JOIN me ON me.subject = h.subject
                             WHERE h.tenant = $1 AND h.attribute = u.attribute AND h.value = u.value
                               AND h.expires_at > clock_timestamp() AND me.subject IS NULL AND h.login <> $3 OFFSET 0)),
           EXISTS (SELECT 1 FROM mine m WHERE m.hook = ANY ($9) AND m.received_at >= $8),
           EXISTS (SELECT 1 FROM mine m WHERE m.hook = ANY ($10) AND m.application IS NOT DISTINCT FROM $11 AND m.received_at >= $8),
           EXISTS (SELECT 1 FROM deliveries d WHERE d.id = $12 AND d.tenant = $1)
"""

# The call had been stored after all; only its answer was not known in time.
_TOLD = """
    WITH n AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for, code_version,
                         rules_hash, detail, commitment)
    SELECT n.at, d.tenant, d.subject, d.id, d.seq, d.hook, d.application, o.outcome, d.actor, d.acting_for, $3, d.rules_hash,
           o.detail, d.commitment
      FROM n, deliveries d, unnest($4::text[], $5::jsonb[]) AS o (outcome, detail)
     WHERE d.id = $1 AND d.tenant = $2
       AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.subject IS NOT DISTINCT FROM d.subject AND e.delivery = d.id
                          AND e.activity IS NULL AND e.outcome = ($4::text[])[1])
"""
_STORED = "SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = $1 AND d.tenant = $2)"
_FREE = "DELETE FROM holds WHERE delivery = $1 AND tenant = $2"


@dataclass(frozen=True, slots=True)
class Since:
    """What the store knows of an answer that was given without it."""

    clashes: list[str]
    """Attributes whose value is somebody else's."""
    told: bool
    """A fact about the person has come since."""
    confirmed: bool
    """The fact that confirms this intention has come since."""


async def record_late(
    pool: Pool,
    delivery: Delivery,
    *,
    answered_at: datetime,
    facts: Sequence[str],
    confirming: Sequence[str],
    judge: Callable[[Since], Delivery],
) -> Receipt | None:
    """Looks, lets `judge` complete the delivery, records it, in one transaction. None: it had been stored before.

    `facts` are the hooks that change what is known, `confirming` those that confirm this one.
    Raises one of ledger.engine.StoreErrors.
    """
    async with within(pool, delivery.tenant) as session:
        await session.execute(_LOCK, locks(delivery))
        person = delivery.person
        row = await session.fetchrow(
            _LOOK,
            delivery.tenant,
            person and person.platform_id,
            person and person.login,
            [attribute for attribute, _ in delivery.values],
            [value for _, value in delivery.values],
            delivery.check,
            delivery.release,
            answered_at,
            list(facts),
            list(confirming),
            delivery.application,
            delivery.id,
        )
        if row is None:
            raise ConnectionError("no row")
        clashes, told, confirmed, stored = row
        judged = judge(Since(clashes if delivery.check else [], told, confirmed))
        if stored:
            await _note(session, judged)
            return None
        return await receive(session, judged)


async def record_spooled(pool: Pool, delivery: Delivery, answered_at: datetime) -> Receipt | None:
    """Records an event that was answered while the store was away. None: it had been stored all the same.

    A repeat is not suspected: what came minutes apart is recorded within milliseconds. Raises one of
    ledger.engine.StoreErrors.
    """
    note = Note(SPOOLED, json.dumps({"answered": answered_at.isoformat()}))
    whole = replace(delivery, twin=None, notes=[*delivery.notes, note])
    async with within(pool, delivery.tenant) as session:
        # Whoever is still storing it holds these.
        await session.execute(_LOCK, locks(whole))
        if await session.fetchval(_STORED, whole.id, whole.tenant):
            return None
        return await receive(session, whole, locked=True)


async def _note(session: Session, delivery: Delivery) -> None:
    outcomes = [delivery.verdict, *(note.outcome for note in delivery.notes)]
    details = ["{}", *(note.detail for note in delivery.notes)]
    await session.execute(_TOLD, delivery.id, delivery.tenant, delivery.code_version, outcomes, details)
    if delivery.verdict == TURNED_AWAY:
        await session.execute(_FREE, delivery.id, delivery.tenant)


def confirmed(delivery: Delivery) -> Delivery:
    """The delivery with its work waiting for no fact: it has come."""
    return replace(
        delivery,
        work=[replace(w, waits=False, delay=timedelta(0)) if w.waits else w for w in delivery.work],
    )
