"""Erases a person: everything that names them or says something of them, but what the ledger is evidence of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import erasures
from ledger.certificate import Certificate, Copy, Remains, Removed, read_text, sign
from ledger.erasable import Blocked, Elsewhere, Who, lock, look_elsewhere, of, one_at_a_time, stand
from ledger.note import Signer
from ledger.operate import Order, operate, record
from settings.erasing import Copies

ERASED = "erased"
"""The outcome of work that was open when its person was erased."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every erasure here. `temporal_days` is the namespace's retention."""

    floor: timedelta
    copies: Copies
    temporal_days: int
    signer: Signer
    publish: erasures.Publish


@dataclass(frozen=True, slots=True)
class Asked:
    """One erasure. `order` is the deed, whose id the certificate has too. `names` are salted hashes."""

    who: Who
    order: Order
    code: str
    names: Sequence[str]
    skip_work: bool = False
    anyway: bool = False


@dataclass(frozen=True, slots=True)
class Erased:
    """Done. `workflow_id` is what the person's runs were called until now."""

    certificate: str
    place: erasures.Place | None
    removed: tuple[Removed, ...]
    workflow_id: str


# Each class, the words for it, and what removes it. The order matters: a naming's count is found by the name.
_CLASSES = (
    (
        "bodies, with salts and what answers set",
        """DELETE FROM bodies b USING deliveries d
            WHERE d.id = b.delivery AND d.subject = :subject AND d.tenant = :tenant""",
    ),
    (
        "bodies of hooks about nobody known that have a name of theirs",
        "DELETE FROM bodies WHERE delivery = ANY (CAST(:mentions AS uuid[]))",
    ),
    (
        "texts of errors",
        """DELETE FROM faults f USING deliveries d
            WHERE d.id = f.delivery AND d.subject = :subject AND d.tenant = :tenant""",
    ),
    (
        "sealed secrets",
        """DELETE FROM vault v USING deliveries d
            WHERE d.id = v.delivery AND d.subject = :subject AND d.tenant = :tenant""",
    ),
    ("last known states", "DELETE FROM identities WHERE subject = :subject AND tenant = :tenant"),
    (
        "logins and platform ids, past ones too",
        "DELETE FROM handles WHERE subject = :subject AND tenant = :tenant",
    ),
    (
        "values compared for uniqueness",
        "DELETE FROM known_values WHERE subject = :subject AND tenant = :tenant",
    ),
    ("held values", "DELETE FROM holds WHERE subject = :subject AND tenant = :tenant"),
    (
        "counts of namesakes",
        """DELETE FROM name_counts c USING names n
            WHERE n.subject = :subject AND n.tenant = :tenant AND c.tenant = n.tenant AND c.attribute = n.attribute
              AND starts_with(n.value, split_part(c.stem, chr(31), 1))
              AND right(n.value, length(split_part(c.stem, chr(31), 2))) = split_part(c.stem, chr(31), 2)""",
    ),
    ("names given by rules", "DELETE FROM names WHERE subject = :subject AND tenant = :tenant"),
    (
        "accounts' names at applications",
        "UPDATE entitlements SET uid = NULL WHERE subject = :subject AND tenant = :tenant AND uid IS NOT NULL",
    ),
    ("fingerprints of the newest hook", "DELETE FROM recent WHERE subject = :subject"),
    ("times of the newest ring", "DELETE FROM rings WHERE subject = :subject"),
    (
        "workflow ids with a login",
        """UPDATE subjects SET workflow_id = :workflow
            WHERE id = :subject AND tenant = :tenant AND workflow_id <> :workflow""",
    ),
)

# Counted as they stay. What each says of the person is in docs/erase.md.
_REMAINS = (
    (
        "entries under the pseudonym",
        "the ledger is append-only, and the evidence of what was done; they have no name and no value",
        "SELECT count(*) FROM entries WHERE subject = :subject AND tenant = :tenant",
    ),
    (
        "receipts of hooks under the pseudonym",
        "hook, time, verdict, and a commitment that nobody can open without the salt",
        "SELECT count(*) FROM deliveries WHERE subject = :subject AND tenant = :tenant",
    ),
    (
        "spells of access under the pseudonym",
        "who had which application when must stay answerable",
        "SELECT count(*) FROM entitlements WHERE subject = :subject AND tenant = :tenant",
    ),
    (
        "pieces of work under the pseudonym",
        "what each receipt caused, and how it ended",
        "SELECT count(*) FROM work WHERE subject = :subject AND tenant = :tenant",
    ),
    (
        "silent gaps under the pseudonym",
        "hooks that nothing followed",
        "SELECT count(*) FROM gaps WHERE subject = :subject AND tenant = :tenant",
    ),
)

_HANDED_OUT = text("""
    SELECT count(*) FILTER (WHERE subject = :subject) AS readings,
           count(*) FILTER (WHERE detail->>'question' IN ('pack', 'export')) AS packs,
           max(at) FILTER (WHERE detail->>'question' IN ('pack', 'export')) AS packed
      FROM entries WHERE tenant = :tenant AND hook IN ('operator', 'access') AND hook = 'access'
       AND at >= coalesce(CAST(:since AS timestamptz), '-infinity')
""")
_END_WORK = text("""
    WITH ended AS (
        UPDATE work SET state = 'settled', outcome = 'erased', settled_at = clock_timestamp(), lease_until = NULL
         WHERE subject = :subject AND tenant = :tenant AND settled_at IS NULL
        RETURNING delivery, activity, tenant, subject, seq, hook, application, attempt
    )
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor, acting_for,
                         code_version, rules_hash, detail, commitment)
    SELECT clock_timestamp(), w.tenant, w.subject, w.delivery, w.seq, w.hook, w.application, w.activity, 'erased',
           nullif(w.attempt, 0), d.actor, d.acting_for, :code_version, d.rules_hash,
           CASE WHEN w.attempt > 0 THEN '{"effect": "may have happened"}'::jsonb ELSE '{}'::jsonb END, d.commitment
      FROM ended w JOIN deliveries d ON d.id = w.delivery
     ORDER BY w.seq, w.activity
    RETURNING id
""")
_END_PLANNED = text("""
    UPDATE erasures_due SET ended_at = clock_timestamp(), ended_as = 'erased'
     WHERE subject = :subject AND tenant = :tenant AND ended_at IS NULL
""")
_NOW = text("SELECT clock_timestamp()")


async def remove(connection: AsyncConnection, who: Who, mentions: Sequence[UUID] = ()) -> tuple[Removed, ...]:
    """Removes every class; commits nothing itself."""
    values = of(who) | {"workflow": who.workflow_id, "mentions": list(mentions)}
    found: list[Removed] = []
    for words, statement in _CLASSES:
        bound = text(statement)
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        found.append(Removed(words, (await connection.execute(bound, named)).rowcount))
    return tuple(found)


async def end_work(connection: AsyncConnection, who: Who, code_version: str) -> int:
    """Settles what is open as erased, an entry each."""
    done = await connection.execute(_END_WORK, of(who) | {"code_version": code_version})
    return len(done.all())


async def erase(connection: AsyncConnection, asked: Asked, terms: Terms, elsewhere: Elsewhere) -> Erased:
    """The whole of it; commits nothing itself. What is published stays published, whatever becomes of the transaction.

    Raises Blocked, Moved, and what `terms.publish` raises.
    """
    who, order = asked.who, asked.order
    await lock(connection, who)
    standing = await stand(
        connection, who, terms.floor, order.reason, skip_work=asked.skip_work, anyway=asked.anyway
    )
    if standing.blockers:
        raise Blocked(standing.blockers)
    handed = (await connection.execute(_HANDED_OUT, of(who) | {"since": standing.first_told})).one()
    ended = await end_work(connection, who, order.code_version)
    removed = await remove(connection, who, elsewhere.mentions)
    detail: dict[str, Any] = {
        **order.detail,
        "certificate": str(order.new_id),
        "code": asked.code,
        "work ended": ended,
        "removed": _counts(removed),
    }
    await operate(connection, replace(order, detail=detail))
    await connection.execute(_END_PLANNED, of(who))
    now: datetime = (await connection.execute(_NOW)).scalar_one()
    certificate = Certificate(
        id=order.new_id,
        ledger=terms.signer.verifier.name,
        tenant=who.tenant,
        person=who.subject,
        names=tuple(asked.names),
        at=now,
        actor=order.actor,
        code=asked.code,
        removed=removed,
        remains=await _remains(connection, who, elsewhere),
        copies=_copies(terms, now, handed),
    )
    note = sign(certificate, terms.signer)
    place = await terms.publish(note)
    await erasures.keep(connection, read_text(certificate.text()), note, place, replayed=False)
    return Erased(note, place, removed, standing.workflow_id)


async def replay(connection: AsyncConnection, line: erasures.Line, who: Who, order: Order) -> bool:
    """Does again what the list says; no floor and no hold stands in the way of it. Gives whether the person was there.

    Commits nothing itself. Raises Moved.
    """
    await one_at_a_time(connection)
    if await erasures.has_number(connection, line.number):
        return True
    told: dict[str, Any] = {"certificate": str(line.read.id), "replayed": line.number}
    elsewhere = await look_elsewhere(connection, who)
    try:
        await lock(connection, who)
    except Blocked:
        there = False
        await record(
            connection, order, **{name: str(value) for name, value in told.items()}, person="not there"
        )
    else:
        there = True
        told["work ended"] = await end_work(connection, who, order.code_version)
        told["removed"] = _counts(await remove(connection, who, elsewhere.mentions))
        await operate(connection, replace(order, subject=who.subject, detail=told))
        await connection.execute(_END_PLANNED, of(who))
    place = erasures.Place(line.number, line.hash)
    await erasures.keep(connection, line.read, line.certificate, place, replayed=True)
    return there


def _counts(removed: Sequence[Removed]) -> Mapping[str, int]:
    return {r.what: r.count for r in removed if r.count}


async def _remains(connection: AsyncConnection, who: Who, elsewhere: Elsewhere) -> tuple[Remains, ...]:
    found = [
        Remains(words, int((await connection.execute(text(statement), of(who))).scalar_one()), why)
        for words, why, statement in _REMAINS
    ]
    why = "by the platform's own id: who acted is evidence of what was done to others"
    found.append(Remains("receipts that name them as who acted", elsewhere.acted, why))
    why = "the tenant's own tables: ./hookledger rules table changes them"
    found.append(Remains("rows of tables for lookup() with a name of theirs", elsewhere.lookups, why))
    return tuple(found)


_UNKNOWN = "nobody has said here how long they are kept: ask who runs the store"


def _copies(terms: Terms, at: datetime, handed: object) -> tuple[Copy, ...]:
    copies = terms.copies
    found: list[Copy] = []
    for where, life in (
        ("the store's write-ahead log", copies.wal),
        ("the store's backups", copies.backups),
        ("the store's replicas", copies.replicas),
    ):
        found.append(
            Copy(where, at + life, "as configured") if life is not None else Copy(where, None, _UNKNOWN)
        )
    packs: int = getattr(handed, "packs", 0)
    packed: datetime | None = getattr(handed, "packed", None)
    if packs and packed is not None:
        until = packed + copies.packs if copies.packs is not None else None
        words = "" if until else "; nobody has said here how long their receivers keep them"
        found.append(
            Copy(
                "exported packs",
                until,
                f"{packs} since they were first told of, the last {packed:%Y-%m-%d}{words}",
            )
        )
    else:
        found.append(Copy("exported packs", None, "none since they were first told of"))
    readings: int = getattr(handed, "readings", 0)
    found.append(
        Copy("answers to readers of the ledger", None, f"{readings} readings asked for this person by name")
    )
    days = timedelta(days=terms.temporal_days)
    found.append(
        Copy("workflow histories in Temporal", at + days, "within a minute if Temporal could be reached")
    )
    return tuple(found)
