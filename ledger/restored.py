"""What is put right in a store that came back from a backup: a new line of checkpoints, claims, holds; and what it lacks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.handover import HandOver, Lost, begin_line, read_handovers, told_of
from ledger.note import Checkpoint, Signer, VerifierKey
from ledger.operate import Order, record
from ledger.plan import Ref
from ledger.seal import SEALERS_LOCK, Broken, Head, read_edge, read_head, trusted_edge, write_head
from ledger.tree import Edge

PAST_ATTEMPTS = 10_000
"""By so much the attempts of open work go up: whatever a late worker claimed after the backup, its number is a smaller one."""

_SERVING = text("""
    SELECT DISTINCT application_name FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND application_name IN ('hookledger api', 'hookledger worker', 'hookledger query', 'hookledger import',
                                'hookledger reconcile', 'hookledger seal')
     ORDER BY 1
""")
# By number, not by time: the newest of the last few, since ids are given before times.
_NEWEST = text("SELECT max(at) FROM (SELECT at FROM entries ORDER BY id DESC LIMIT 1000) AS last")
_OPEN = text("""
    SELECT tenant, count(*) FILTER (WHERE state = 'running') AS claims, count(*) AS open
      FROM work WHERE settled_at IS NULL GROUP BY tenant
""")
_HELD = text("SELECT tenant, count(*) FROM holds GROUP BY tenant")
_RELEASE = text("""
    UPDATE work SET state = CASE state WHEN 'running' THEN 'planned' ELSE state END, attempt = attempt + :past,
                    claimed_at = NULL, lease_until = NULL
     WHERE settled_at IS NULL
""")
_FORGET = ("DELETE FROM holds", "DELETE FROM rings", "DELETE FROM recent")
_KNOWN = text("SELECT id FROM deliveries WHERE id = ANY (CAST(:ids AS uuid[]))")
_NUMBERS = text("SELECT id, seq FROM subjects WHERE id = ANY (CAST(:ids AS uuid[]))")
_STILL_OPEN = text("""
    SELECT w.delivery::text, w.activity
      FROM unnest(CAST(:deliveries AS uuid[]), CAST(:activities AS text[])) AS u (delivery, activity)
      JOIN work w ON w.delivery = u.delivery AND w.activity = u.activity
     WHERE w.settled_at IS NULL
""")


class NotRestored(Exception):
    """Nothing was done; the text says why."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one tenant: pieces of work that were claimed, and that are open in all; values held."""

    claims: int = 0
    open: int = 0
    holds: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How the store came back. `newest` is the time of its newest entry; `serving` are processes that use it."""

    newest: datetime | None
    serving: Sequence[str]
    head: Head | None
    tenants: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Line:
    """Who signs the new line. `kept` are checkpoints from elsewhere, signatures checked; `mark` makes its name unique."""

    signer: Signer
    keys: Sequence[VerifierKey]
    kept: Sequence[Checkpoint]
    mark: str


@dataclass(frozen=True, slots=True)
class Beyond:
    """What a tenant's runs in Temporal tell of that the store does not have; ids and counts."""

    lost: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What the deed is recorded with. `order` makes it for a tenant; `beyond` is None if Temporal could not be asked."""

    order: Callable[[str], Order]
    tenants: Iterable[str]
    beyond: Mapping[str, Beyond] | None = field(default=None)


async def read_standing(connection: AsyncConnection) -> Standing:
    """Changes nothing."""
    serving = list((await connection.execute(_SERVING)).scalars())
    newest = (await connection.execute(_NEWEST)).scalar_one()
    held = {row[0]: row[1] for row in await connection.execute(_HELD)}
    work = {row.tenant: (row.claims, row.open) for row in await connection.execute(_OPEN)}
    tenants = {t: Counts(*work.get(t, (0, 0)), held.get(t, 0)) for t in sorted(held.keys() | work.keys())}
    return Standing(newest, serving, await read_head(await _bare(connection)), tenants)


async def find_lost(connection: AsyncConnection, line: Line) -> Lost | None:
    """The leaves that somebody's checkpoint proves and the store does not have. Raises NotRestored, Broken."""
    return await _lost(await _bare(connection), line)


def must_be_alone(standing: Standing) -> None:
    """Raises NotRestored while somebody serves from the store."""
    if standing.serving:
        raise NotRestored(f"{', '.join(standing.serving)} still uses the store: stop it first")


async def restore(connection: AsyncConnection, told: Told, line: Line | None) -> HandOver | None:
    """The deed, in the caller's transaction. Without `line` nothing is signed. Raises NotRestored, Broken.

    What was erased after the backup must be erased again before this: nothing may be taken up that should be gone.
    """
    standing = await read_standing(connection)
    must_be_alone(standing)
    handover = await _begin(await _bare(connection), line) if line else None
    await connection.execute(_RELEASE, {"past": PAST_ATTEMPTS})
    for statement in _FORGET:
        await connection.execute(text(statement))
    for tenant in told.tenants:
        counts = standing.tenants.get(tenant, Counts())
        detail: dict[str, object] = {"claims": counts.claims, "holds": counts.holds, "open": counts.open}
        if standing.newest:
            detail["newest"] = standing.newest.isoformat(timespec="seconds")
        if handover:
            detail |= {
                "origin": handover.checkpoint.origin,
                "old": handover.old.origin,
                "size": handover.old.size,
            }
            detail |= {"lost": str(handover.lost)} if handover.lost else {}
        if told.beyond is not None:
            beyond = told.beyond.get(tenant, Beyond())
            detail |= {"unknown hooks": beyond.lost, "run again": beyond.again}
        await record(connection, told.order(tenant), **detail)
    return handover


async def known_deliveries(connection: AsyncConnection, ids: Iterable[UUID]) -> set[UUID]:
    """Those among them that the store has."""
    return set((await connection.execute(_KNOWN, {"ids": list(ids)})).scalars())


async def last_numbers(connection: AsyncConnection, subjects: Iterable[UUID]) -> dict[UUID, int]:
    """How many deliveries the store has of each person; nothing for whom it does not know."""
    return {row[0]: row[1] for row in await connection.execute(_NUMBERS, {"ids": list(subjects)})}


async def still_open(connection: AsyncConnection, refs: Sequence[Ref]) -> set[Ref]:
    """Those among them that have not settled, as the store knows."""
    values = {"deliveries": [UUID(r.delivery) for r in refs], "activities": [r.activity for r in refs]}
    return {Ref(row[0], row[1]) for row in await connection.execute(_STILL_OPEN, values)}


async def _begin(connection: Any, line: Line) -> HandOver:
    """Signs the hand-over and makes it the newest checkpoint."""
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", SEALERS_LOCK):
        raise NotRestored("a sealer is at work: stop the workers first")
    head = await read_head(connection)
    edge = await trusted_edge(connection, head, line.keys)
    old = head.checkpoint if head else Checkpoint(line.signer.verifier.name, 0, edge.root())
    at = await connection.fetchval("SELECT clock_timestamp()")
    handover = begin_line(old, line.signer.verifier.name, at, line.mark, await _lost(connection, line))
    note = line.signer.named(handover.checkpoint.origin).sign(handover.text())
    number = head.number + 1 if head else 1
    await write_head(connection, Head(number, handover.checkpoint, note), drained=False)
    return handover


async def _lost(connection: Any, line: Line) -> Lost | None:
    head = await read_head(connection)
    size = head.checkpoint.size if head else 0
    handovers = await read_handovers(connection, line.keys)
    found: list[Lost] = []
    for kept in line.kept:
        if told := told_of(kept, handovers):
            found.append(Lost(told.lost.begin if told.lost else told.old.size, kept))
        elif kept.size > size:
            found.append(Lost(size, kept))
        elif await _root(connection, kept.size) != kept.root:
            raise NotRestored(
                f"the checkpoint of {kept.size} leaves that was kept is of another tree than this ledger's at that size: "
                "it was sealed on after the restore; ./hookledger ledger verify --kept says from where"
            )
    return max(found, key=lambda lost: lost.head.size, default=None)


async def _root(connection: Any, size: int) -> bytes:
    try:
        return (await read_edge(connection, size) if size else Edge()).root()
    except (KeyError, ValueError):
        raise Broken("leaves are missing") from None


async def _bare(connection: AsyncConnection) -> Any:
    """The driver's own connection, in the same transaction: what reads the tree speaks to it."""
    await connection.execute(text("SELECT 1"))
    return (await connection.get_raw_connection()).driver_connection
