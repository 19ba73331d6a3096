"""How things stand, for operators: schema, hooks seen, calls turned away, known users, open work, brakes, incidents."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.migrate import configuration
from ledger.work import SHOULD_RUN

WINDOW = 100_000
"""The newest deliveries of a tenant that are looked at, so that the answer comes in bounded time from a store of any size."""


@dataclass(frozen=True, slots=True)
class HookSeen:
    """How often a hook is among the newest deliveries, and when it last came."""

    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """One call turned away at the door, in our own words."""

    at: datetime
    hook: str
    status: int
    reason: str
    words: str
    receipt: UUID


@dataclass(frozen=True, slots=True)
class Work:
    """Unsettled work. `late_since` is the due time of the oldest that should have run; None if there is none."""

    open: int = 0
    held: int = 0
    paused_people: int = 0
    late_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gaps:
    """Intentions that no fact followed. `since` is when the oldest came; None if there is none."""

    open: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """One incident that is open: one cause, whatever the number of people."""

    id: UUID
    activity: str
    cause: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How one tenant stands. `refusals` newest first; `braked_since` is None while the brake is off."""

    hooks: Mapping[str, HookSeen] = field(default_factory=dict[str, HookSeen])
    refusals: tuple[Refusal, ...] = ()
    known_users: int = 0
    work: Work = Work()
    braked_since: datetime | None = None
    gaps: Gaps = Gaps()
    degraded: Mapping[str, int] = field(default_factory=dict[str, int])
    """Answers of the last day that were given without the store, by what was answered."""
    incidents: tuple[Broken, ...] = ()
    """The oldest first."""

    @property
    def last_delivery(self) -> datetime | None:
        """When the newest delivery came."""
        return max((hook.last for hook in self.hooks.values()), default=None)


@dataclass(frozen=True, slots=True)
class Schema:
    """The store's migration and this release's newest; None if there never was one."""

    current: str | None
    head: str | None


async def read_schema(connection: AsyncConnection) -> Schema:
    """Which migration the store is at."""
    head = ScriptDirectory.from_config(configuration("")).get_current_head()
    there = await connection.scalar(text("SELECT to_regclass('alembic_version')::text"))
    if there is None:
        return Schema(None, head)
    return Schema(await connection.scalar(text("SELECT version_num FROM alembic_version")), head)


# Of each tenant the newest: a tenant with many must not hide those of one with few.
_HOOKS = text("""
    SELECT t.tenant, newest.hook, count(DISTINCT newest.delivery) AS times, max(newest.at) AS last
      FROM unnest(CAST(:tenants AS text[])) AS t (tenant)
     CROSS JOIN LATERAL (SELECT e.hook, e.delivery, e.at FROM entries e
                          WHERE e.tenant = t.tenant AND e.activity IS NULL AND e.hook NOT IN ('import', 'access') ORDER BY e.at DESC LIMIT :window) AS newest
     GROUP BY t.tenant, newest.hook ORDER BY t.tenant, newest.hook
""")
_REFUSALS = text("""
    SELECT tenant, at, hook, status, reason, words, receipt FROM refusals WHERE tenant = ANY (CAST(:tenants AS text[]))
     ORDER BY at DESC
""")
_USERS = text("""
    SELECT tenant, count(*) AS known FROM identities
     WHERE archived_at IS NULL AND tenant = ANY (CAST(:tenants AS text[])) GROUP BY tenant ORDER BY tenant
""")
_DEGRADED = text("""
    SELECT tenant, outcome, count(*) AS times FROM entries
     WHERE outcome IN ('passed unchecked', 'turned away', 'answered unchecked', 'not kept')
       AND tenant = ANY (CAST(:tenants AS text[])) AND at >= clock_timestamp() - interval '1 day' AND activity IS NULL
     GROUP BY tenant, outcome ORDER BY tenant, outcome
""")
_WORK = text(f"""
    WITH open AS MATERIALIZED (
        SELECT tenant, activity, subject, lane, seq, state, due, let_go FROM work
         WHERE settled_at IS NULL AND tenant = ANY (CAST(:tenants AS text[]))
    ), counted AS (
        SELECT o.tenant, count(*) AS open, count(*) FILTER (WHERE o.state = 'held') AS held,
               count(DISTINCT o.subject) FILTER (WHERE s.paused) AS paused_people
          FROM open o JOIN subjects s ON s.id = o.subject GROUP BY o.tenant
    ), {SHOULD_RUN}, late AS (
        SELECT tenant, min(due) AS since FROM should_run GROUP BY tenant
    )
    SELECT c.*, (SELECT since FROM late l WHERE l.tenant = c.tenant) AS late_since FROM counted c
""")
_BRAKES = text("""
    SELECT tenant, stopped_at FROM brakes WHERE stopped_at IS NOT NULL AND tenant = ANY (CAST(:tenants AS text[]))
""")

_INCIDENTS = text("""
    SELECT tenant, id, activity, cause, first_seen FROM incidents
     WHERE closed_at IS NULL AND tenant = ANY (CAST(:tenants AS text[])) ORDER BY first_seen
""")
_GAPS = text(
    "SELECT tenant, count(*) AS open, min(since) AS since FROM gaps"
    " WHERE closed_at IS NULL AND tenant = ANY (CAST(:tenants AS text[])) GROUP BY tenant"
)


async def read_standings(connection: AsyncConnection, tenants: Collection[str]) -> dict[str, Standing]:
    """How these tenants stand, as far as the store knows them; "?" is calls that named none."""
    found: dict[str, dict[str, Any]] = {}
    these = {"tenants": list(tenants)}
    for row in await connection.execute(_HOOKS, these | {"window": WINDOW}):
        found.setdefault(row.tenant, {}).setdefault("hooks", {})[row.hook] = HookSeen(row.times, row.last)
    for row in await connection.execute(_REFUSALS, these):
        tenant = found.setdefault(row.tenant, {})
        refusal = Refusal(row.at, row.hook, row.status, row.reason, row.words, row.receipt)
        tenant["refusals"] = (*tenant.get("refusals", ()), refusal)
    for row in await connection.execute(_USERS, these):
        found.setdefault(row.tenant, {})["known_users"] = row.known
    for row in await connection.execute(_WORK, these):
        work = Work(row.open, row.held, row.paused_people, row.late_since)
        found.setdefault(row.tenant, {})["work"] = work
    for row in await connection.execute(_DEGRADED, these):
        found.setdefault(row.tenant, {}).setdefault("degraded", {})[row.outcome] = row.times
    for row in await connection.execute(_BRAKES, these):
        found.setdefault(row.tenant, {})["braked_since"] = row.stopped_at
    for row in await connection.execute(_GAPS, these):
        found.setdefault(row.tenant, {})["gaps"] = Gaps(row.open, row.since)
    for row in await connection.execute(_INCIDENTS, these):
        tenant = found.setdefault(row.tenant, {})
        broken = Broken(row.id, row.activity, row.cause, row.first_seen)
        tenant["incidents"] = (*tenant.get("incidents", ()), broken)
    return {tenant: Standing(**values) for tenant, values in found.items()}
