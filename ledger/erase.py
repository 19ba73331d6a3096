"""Erases a person: everything that names them or says something of them, but what the ledger is evidence of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import erasures
from ledger.certificate import Certificate, Copy, Remains, Removed, read_text, sign
from ledger.note import Signer
from ledger.operate import Order, operate, record
from settings.erasing import Copies

ERASERS_LOCK = 0x486F6F65
"""Advisory lock: one erasure at a time, so that the list and the store have them in one order."""
ERASED = "erased"
"""The outcome of work that was open when its person was erased."""
_SHORTEST = 3
"""Names below this length would be found in any reason."""

Obstacle = Literal["unknown", "erased", "hold", "floor", "live", "work", "reason"]


class Moved(Exception):
    """The person got another name between a look and the lock: look again."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """What stands in the way. `until`: it goes away by itself then."""

    obstacle: Obstacle
    words: str
    until: datetime | None = None


class Blocked(Exception):
    """Something stands in the way."""

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        super().__init__("; ".join(b.words for b in blockers))
        self.blockers = tuple(blockers)


@dataclass(frozen=True, slots=True)
class Who:
    """A person by pseudonym. `workflow_id` names their runs from now on: it has no login in it."""

    subject: UUID
    tenant: str
    workflow_id: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What no row of the person's own has: found by reading whole tables, so before any lock is taken.

    `mentions` are deliveries of nobody known, such as hooks of an unknown name, whose bodies have a name of theirs.
    """

    mentions: Sequence[UUID] = ()
    acted: int = 0
    lookups: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a person: their names now and ever, when the platform told of them last, what is in the way."""

    names: tuple[str, ...]
    login: str | None
    workflow_id: str
    first_told: datetime | None
    last_told: datetime | None
    left_at: datetime | None
    open_work: int
    linked: tuple[UUID, ...]
    blockers: tuple[Blocker, ...]


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

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_LOCK_NAMES = text("""
    SELECT pg_advisory_xact_lock(k) FROM (
        SELECT DISTINCT lock_key(h.kind, h.tenant, h.value) AS k FROM handles h
         WHERE h.subject = :subject AND h.tenant = :tenant ORDER BY k) AS keys
""")
_LOCK_PERSON = text("SELECT id FROM subjects WHERE id = :subject AND tenant = :tenant FOR UPDATE")
_NAMES = text("""
    SELECT value, kind = 'login' AS login FROM handles WHERE subject = :subject AND tenant = :tenant
     ORDER BY until DESC NULLS FIRST, value
""")
_VALUES = text("SELECT value FROM known_values WHERE subject = :subject AND tenant = :tenant ORDER BY value")
_STANDING = text("""
    SELECT s.workflow_id, i.subject IS NOT NULL AND i.left_at IS NULL AND i.archived_at IS NULL AS live, i.left_at,
           (SELECT count(*) FROM work w WHERE w.subject = s.id AND w.settled_at IS NULL) AS open_work,
           d.first_told, d.last_told,
           ARRAY(SELECT l.id FROM legal_holds l WHERE l.subject = s.id AND l.released_at IS NULL ORDER BY l.since) AS held,
           ARRAY(SELECT o.id FROM subjects o WHERE o.id = s.rehire_of OR o.rehire_of = s.id ORDER BY o.id) AS linked,
           (SELECT e.id FROM erasures e WHERE e.subject = s.id ORDER BY e.at DESC LIMIT 1) AS erased,
           clock_timestamp() AS now
      FROM subjects s LEFT JOIN identities i ON i.subject = s.id
     CROSS JOIN LATERAL (SELECT min(received_at) AS first_told, max(received_at) AS last_told FROM deliveries
                          WHERE subject = s.id AND hook <> 'operator') AS d
     WHERE s.id = :subject AND s.tenant = :tenant
""")
_MENTIONS = text("""
    SELECT b.delivery FROM deliveries d JOIN bodies b ON b.delivery = d.id
     WHERE d.tenant = :tenant AND d.subject IS NULL AND d.hook NOT IN ('operator', 'import')
       AND EXISTS (SELECT 1 FROM unnest(CAST(:names AS text[])) AS n WHERE strpos(lower(b.body), to_json(n)::text) > 0)
     ORDER BY b.delivery
""")
_ACTED = text("""
    SELECT count(*) FROM deliveries
     WHERE tenant = :tenant AND actor IN (SELECT 'user:' || value FROM handles WHERE subject = :subject AND kind = 'id')
""")
_LOOKUPS = text("""
    SELECT count(*) FROM lookups WHERE tenant = :tenant
       AND (lower(key) = ANY (CAST(:names AS text[])) OR lower(value) = ANY (CAST(:names AS text[])))
""")
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


async def look_elsewhere(connection: AsyncConnection, who: Who) -> Elsewhere:
    """Reads what takes long, on a connection that may take its time."""
    person = _of(who)
    names = [row.value for row in await connection.execute(_NAMES, person)]
    names += (await connection.execute(_VALUES, person)).scalars()
    lowered = sorted({name.lower() for name in names if len(name) >= _SHORTEST})
    asked = person | {"names": lowered}
    return Elsewhere(
        mentions=list((await connection.execute(_MENTIONS, asked)).scalars()) if lowered else [],
        acted=int((await connection.execute(_ACTED, person)).scalar_one()),
        lookups=int((await connection.execute(_LOOKUPS, asked)).scalar_one()),
    )


async def lock(connection: AsyncConnection, who: Who) -> None:
    """Holds everybody off this person until the transaction ends, as receive() locks them. Raises Moved, Blocked."""
    person = _of(who)
    await connection.execute(_LOCK, {"key": ERASERS_LOCK})
    before = {row.value for row in await connection.execute(_NAMES, person)}
    await connection.execute(_LOCK_NAMES, person)
    if (await connection.execute(_LOCK_PERSON, person)).first() is None:
        raise Blocked([Blocker("unknown", "there is no such person")])
    if {row.value for row in await connection.execute(_NAMES, person)} - before:
        raise Moved


async def stand(
    connection: AsyncConnection,
    who: Who,
    floor: timedelta,
    reason: str = "",
    *,
    skip_work: bool,
    anyway: bool,
) -> Standing:
    """How it stands, and what is in the way. Raises Blocked for somebody unknown."""
    row = (await connection.execute(_STANDING, _of(who))).first()
    if row is None:
        raise Blocked([Blocker("unknown", "there is no such person")])
    handles = list(await connection.execute(_NAMES, _of(who)))
    values = list((await connection.execute(_VALUES, _of(who))).scalars())
    found: list[Blocker] = []
    if row.erased is not None and not handles:
        found.append(
            Blocker("erased", f"they were erased before: ./hookledger ledger certificate {row.erased}")
        )
    if row.held:
        words = f"a legal hold ({', '.join(map(str, row.held))}) keeps everything of them: release it first"
        found.append(Blocker("hold", words))
    if row.last_told is not None and row.last_told + floor > row.now:
        until = row.last_told + floor
        words = f"the law asks to keep it until {until:%Y-%m-%d %H:%M} UTC: ledger.legal_floor, {floor.days} days after the last hook"
        found.append(Blocker("floor", words, until))
    if row.live and not anyway:
        words = "they are still at the platform, whose next hook would bring them back as somebody new: erase them there first, or give --anyway"
        found.append(Blocker("live", words))
    if row.open_work and not skip_work:
        words = f"{row.open_work} of their work is unsettled: let it end, or give --skip-work, which ends it as erased"
        found.append(Blocker("work", words))
    if any(
        len(n) >= _SHORTEST and n.casefold() in reason.casefold()
        for n in [*(h.value for h in handles), *values]
    ):
        found.append(Blocker("reason", "the reason names them, and it stays: say it without their name"))
    return Standing(
        names=tuple(dict.fromkeys(h.value for h in handles)),
        login=next((h.value for h in handles if h.login), None),
        workflow_id=row.workflow_id,
        first_told=row.first_told,
        last_told=row.last_told,
        left_at=row.left_at,
        open_work=row.open_work,
        linked=tuple(row.linked),
        blockers=tuple(found),
    )


async def remove(connection: AsyncConnection, who: Who, mentions: Sequence[UUID] = ()) -> tuple[Removed, ...]:
    """Removes every class; commits nothing itself."""
    values = _of(who) | {"workflow": who.workflow_id, "mentions": list(mentions)}
    found: list[Removed] = []
    for words, statement in _CLASSES:
        bound = text(statement)
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        found.append(Removed(words, (await connection.execute(bound, named)).rowcount))
    return tuple(found)


async def end_work(connection: AsyncConnection, who: Who, code_version: str) -> int:
    """Settles what is open as erased, an entry each."""
    done = await connection.execute(_END_WORK, _of(who) | {"code_version": code_version})
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
    handed = (await connection.execute(_HANDED_OUT, _of(who) | {"since": standing.first_told})).one()
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
    await connection.execute(_END_PLANNED, _of(who))
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
    await connection.execute(_LOCK, {"key": ERASERS_LOCK})
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
        await connection.execute(_END_PLANNED, _of(who))
    place = erasures.Place(line.number, line.hash)
    await erasures.keep(connection, line.read, line.certificate, place, replayed=True)
    return there


def _of(who: Who) -> dict[str, object]:
    return {"subject": who.subject, "tenant": who.tenant}


def _counts(removed: Sequence[Removed]) -> Mapping[str, int]:
    return {r.what: r.count for r in removed if r.count}


async def _remains(connection: AsyncConnection, who: Who, elsewhere: Elsewhere) -> tuple[Remains, ...]:
    found = [
        Remains(words, int((await connection.execute(text(statement), _of(who))).scalar_one()), why)
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
