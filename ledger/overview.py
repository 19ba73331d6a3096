"""How things stand, for operators: schema, hooks seen, calls turned away, known users, open work, brakes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.migrate import configuration

WINDOW = 100_000
"""The newest deliveries that are looked at, so that the answer comes in bounded time from a store of any size."""


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
class Standing:
    """How one tenant stands. `refusals` newest first; `braked_since` is None while the brake is off."""

    hooks: Mapping[str, HookSeen] = field(default_factory=dict[str, HookSeen])
    refusals: tuple[Refusal, ...] = ()
    known_users: int = 0
    work: Work = Work()
    braked_since: datetime | None = None

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


_HOOKS = text("""
    SELECT tenant, hook, count(*) AS times, max(received_at) AS last
      FROM (SELECT tenant, hook, received_at FROM deliveries WHERE hook <> 'import' ORDER BY id DESC LIMIT :window)
        AS newest
     GROUP BY tenant, hook ORDER BY tenant, hook
""")
_REFUSALS = text("SELECT tenant, at, hook, status, reason, words, receipt FROM refusals ORDER BY at DESC")
_USERS = text(
    "SELECT tenant, count(*) AS known FROM identities WHERE archived_at IS NULL GROUP BY tenant ORDER BY tenant"
)
_WORK = text("""
    SELECT w.tenant, count(*) AS open, count(*) FILTER (WHERE w.state = 'held') AS held,
           count(DISTINCT w.subject) FILTER (WHERE s.paused) AS paused_people,
           min(w.due) FILTER (WHERE w.state IN ('planned', 'running') AND w.due <= clock_timestamp() AND NOT s.paused
                                AND NOT EXISTS (SELECT 1 FROM work h WHERE h.subject = w.subject AND h.lane = w.lane
                                                   AND h.settled_at IS NULL AND h.state = 'held' AND h.seq < w.seq))
               AS late_since
      FROM work w JOIN subjects s ON s.id = w.subject WHERE w.settled_at IS NULL GROUP BY w.tenant
""")
_BRAKES = text("SELECT tenant, stopped_at FROM brakes WHERE stopped_at IS NOT NULL")


async def read_standings(connection: AsyncConnection) -> dict[str, Standing]:
    """How every tenant stands that the store knows; calls that named none are under "?"."""
    found: dict[str, dict[str, Any]] = {}
    for row in await connection.execute(_HOOKS, {"window": WINDOW}):
        found.setdefault(row.tenant, {}).setdefault("hooks", {})[row.hook] = HookSeen(row.times, row.last)
    for row in await connection.execute(_REFUSALS):
        tenant = found.setdefault(row.tenant, {})
        refusal = Refusal(row.at, row.hook, row.status, row.reason, row.words, row.receipt)
        tenant["refusals"] = (*tenant.get("refusals", ()), refusal)
    for row in await connection.execute(_USERS):
        found.setdefault(row.tenant, {})["known_users"] = row.known
    for row in await connection.execute(_WORK):
        work = Work(row.open, row.held, row.paused_people, row.late_since)
        found.setdefault(row.tenant, {})["work"] = work
    for row in await connection.execute(_BRAKES):
        found.setdefault(row.tenant, {})["braked_since"] = row.stopped_at
    return {tenant: Standing(**values) for tenant, values in found.items()}
