"""Incidents: one cause that fails for many people is one row, one breaker, one release; each end of it is an entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import Order, record
from ledger.plan import Ref
from ledger.switches import Place, let_go

PATIENCE = 60.0
"""Seconds after which a probe that came to no end, since its run or worker is lost, leaves its place to another."""


class NoSuchIncident(LookupError):
    """There is none with that id; the text says so."""


@dataclass(frozen=True, slots=True)
class Limit:
    """As many people within so many seconds make an incident."""

    users: int
    window: float


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause in one activity of one tenant, and what hangs on it now."""

    id: UUID
    tenant: str
    activity: str
    cause: str
    first_seen: datetime
    last_seen: datetime
    opened_at: datetime
    closed_at: datetime | None
    users: int
    """People whose work is held."""
    held: int
    """Pieces of open work; 0 once it is closed."""
    failed: int
    """Pieces that gave up for this cause since it was first seen, and were not redriven."""
    released: int | None
    """Pieces let go when it was closed."""


_OPEN = text("""
    INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at)
    SELECT :id, w.tenant, w.activity, :cause, seen.first, now, now
      FROM clock_timestamp() AS now, work w, LATERAL (
            SELECT count(*) AS users, min(p.at) AS first FROM (
                SELECT min(f.at) AS at FROM faults f JOIN work o ON o.delivery = f.delivery AND o.activity = f.activity
                 WHERE f.activity = w.activity AND f.cause = :cause AND o.tenant = w.tenant
                   AND f.at > greatest(now - :window * interval '1 second', (
                        SELECT max(i.closed_at) FROM incidents i WHERE i.tenant = w.tenant AND i.activity = w.activity))
                 GROUP BY o.subject LIMIT :users) p) AS seen
     WHERE w.delivery = :delivery AND w.activity = :activity AND seen.users >= :users
       AND NOT EXISTS (SELECT 1 FROM incidents i
                        WHERE i.tenant = w.tenant AND i.activity = w.activity AND i.closed_at IS NULL)
    ON CONFLICT DO NOTHING
    RETURNING tenant
""")
_PROBED = """
    UPDATE incidents i SET {} FROM work w
     WHERE w.delivery = :delivery AND w.activity = :activity AND i.tenant = w.tenant AND i.activity = w.activity
       AND i.closed_at IS NULL AND i.probe = w.subject
"""
_PROBE_FAILED = text(_PROBED.format("probe = NULL, last_seen = clock_timestamp()"))
_PROBE_WENT_WELL = text(_PROBED.format("healed_at = coalesce(i.healed_at, clock_timestamp())"))
_PROBE = text("""
    WITH due AS (
        SELECT i.id, i.tenant, i.activity, next.subject
          FROM incidents i, LATERAL (
                SELECT w.subject FROM work w JOIN subjects s ON s.id = w.subject AND NOT s.paused
                  LEFT JOIN faults f ON f.delivery = w.delivery AND f.activity = w.activity AND f.cause = i.cause
                 WHERE w.tenant = i.tenant AND w.activity = i.activity AND w.settled_at IS NULL
                   AND w.state IN ('planned', 'running') AND w.due <= clock_timestamp()
                   AND (w.lease_until IS NULL OR w.lease_until <= clock_timestamp())
                 ORDER BY f.cause, w.claimed_at NULLS FIRST, w.due LIMIT 1) AS next
         WHERE i.closed_at IS NULL AND i.healed_at IS NULL
           AND coalesce(i.probed_at, i.opened_at) <= clock_timestamp() - interval '1 second'
               * CASE WHEN i.probe IS NULL THEN CAST(:every AS float8) ELSE greatest(:every, CAST(:patience AS float8)) END
    ), chosen AS (
        UPDATE incidents i SET probe = d.subject, probed_at = statement_timestamp() FROM due d WHERE i.id = d.id
    )
    UPDATE work w SET due = statement_timestamp(), let_go = statement_timestamp() FROM due d
     WHERE w.subject = d.subject AND w.activity = d.activity AND w.tenant = d.tenant AND w.settled_at IS NULL
       AND w.state IN ('planned', 'running') AND w.due <= clock_timestamp()
""")
_ANY_OPEN = text("SELECT EXISTS (SELECT 1 FROM incidents WHERE closed_at IS NULL)")
_PATIENTLY = text("SET LOCAL statement_timeout = '60s'")
"""For what touches all the work that an incident held."""
_HEALED = text("""
    SELECT id, tenant, activity, cause FROM incidents WHERE closed_at IS NULL AND healed_at IS NOT NULL FOR UPDATE
""")
_OPEN_ONE = text("""
    SELECT id, tenant, activity, cause FROM incidents
     WHERE id = :id AND tenant = ANY (CAST(:tenants AS text[])) AND closed_at IS NULL FOR UPDATE
""")
_CLOSE = text("""
    UPDATE incidents SET closed_at = clock_timestamp(), probe = NULL, released = :released WHERE id = :id
""")
_LIST = text("""
    SELECT i.id, i.tenant, i.activity, i.cause, i.first_seen, i.last_seen, i.opened_at, i.closed_at,
           open.users, open.held, (
           SELECT count(*) FROM faults f JOIN work w ON w.delivery = f.delivery AND w.activity = f.activity
            WHERE f.activity = i.activity AND f.cause = i.cause AND f.at >= i.first_seen AND w.tenant = i.tenant
              AND (w.state = 'held' OR w.outcome = 'failed')), i.released
      FROM incidents i, LATERAL (
            SELECT count(DISTINCT w.subject) AS users, count(*) AS held FROM work w
             WHERE i.closed_at IS NULL AND w.tenant = i.tenant AND w.activity = i.activity AND w.settled_at IS NULL
               AND w.state IN ('planned', 'running')) AS open
     WHERE i.tenant = ANY (CAST(:tenants AS text[])) AND (CAST(:id AS uuid) IS NULL OR i.id = :id)
       AND (:all OR i.closed_at IS NULL)
     ORDER BY i.closed_at IS NOT NULL, i.opened_at DESC LIMIT 1000
""")

Recording = Callable[[str], Order]
"""The order under which an incident's end is recorded in a tenant."""


async def notice(connection: AsyncConnection, ref: Ref, cause: str, limit: Limit, order: Order) -> None:
    """Opens an incident, with an entry, if this failure makes as many people as the limit says."""
    values = {**_named(ref), "id": order.new_id, "cause": cause, "users": limit.users, "window": limit.window}
    tenant = (await connection.execute(_OPEN, values)).scalar_one_or_none()
    if tenant is not None:
        told = {"incident": str(order.new_id), "of": ref.activity, "cause": cause, "users": limit.users}
        await record(connection, order.in_tenant(tenant), **told)


async def probe_failed(connection: AsyncConnection, ref: Ref) -> None:
    """The incident's next probe may be another person."""
    await connection.execute(_PROBE_FAILED, _named(ref))


async def probe_went_well(connection: AsyncConnection, ref: Ref) -> None:
    """The next sweep closes the incident."""
    await connection.execute(_PROBE_WENT_WELL, _named(ref))


async def tend(connection: AsyncConnection, probe_every: float, rate: float, recording: Recording) -> int:
    """Closes what has healed and chooses probes where one is due; gives the pieces let go."""
    if not (await connection.execute(_ANY_OPEN)).scalar_one():
        return 0
    await connection.execute(_PATIENTLY)
    healed = list(await connection.execute(_HEALED))
    count = sum([await _close(connection, row, rate, recording) for row in healed])
    await connection.execute(_PROBE, {"every": probe_every, "patience": PATIENCE})
    return count


async def close_by_hand(
    connection: AsyncConnection, id_: UUID, tenants: list[str], rate: float, recording: Recording
) -> int:
    """Closes an open incident and lets go what it holds; gives the pieces, 0 if it was not open."""
    row = (await connection.execute(_OPEN_ONE, {"id": id_, "tenants": tenants})).first()
    return await _close(connection, row, rate, recording) if row else 0


async def list_incidents(connection: AsyncConnection, tenants: list[str], *, closed: bool) -> list[Incident]:
    """Those that are open, with `closed` also the others, of these tenants, the newest first."""
    rows = await connection.execute(_LIST, {"tenants": tenants, "id": None, "all": closed})
    return [Incident(*row) for row in rows]


async def show_incident(connection: AsyncConnection, tenants: list[str], id_: UUID) -> Incident:
    """One, open or not. Raises NoSuchIncident."""
    row = (await connection.execute(_LIST, {"tenants": tenants, "id": id_, "all": True})).first()
    if row is None:
        raise NoSuchIncident("no such incident: ./hookledger incidents list shows them")
    return Incident(*row)


async def _close(connection: AsyncConnection, row: Any, rate: float, recording: Recording) -> int:
    released = await let_go(connection, Place(row.tenant, row.activity), rate)
    await connection.execute(_CLOSE, {"id": row.id, "released": released})
    told = {"incident": str(row.id), "of": row.activity, "cause": row.cause, "let go": released}
    await record(connection, recording(row.tenant), **told)
    return released


def _named(ref: Ref) -> Mapping[str, Any]:
    return {"delivery": UUID(ref.delivery), "activity": ref.activity}
