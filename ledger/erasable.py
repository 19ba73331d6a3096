"""Whether a person may be erased: who they are, how it stands with them, what is in the way; and the locks that hold others off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ERASERS_LOCK = 0x486F6F65
"""Advisory lock: one erasure at a time, so that the list and the store have them in one order."""
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


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Waits for other erasures, until the transaction ends."""
    await connection.execute(_LOCK, {"key": ERASERS_LOCK})


async def look_elsewhere(connection: AsyncConnection, who: Who) -> Elsewhere:
    """Reads what takes long, on a connection that may take its time."""
    person = of(who)
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
    person = of(who)
    await one_at_a_time(connection)
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
    row = (await connection.execute(_STANDING, of(who))).first()
    if row is None:
        raise Blocked([Blocker("unknown", "there is no such person")])
    handles = list(await connection.execute(_NAMES, of(who)))
    values = list((await connection.execute(_VALUES, of(who))).scalars())
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


def of(who: Who) -> dict[str, object]:
    """What the statements about a person bind."""
    return {"subject": who.subject, "tenant": who.tenant}
