"""Switches: activities that operators hold, drop or only rehearse; each change is an entry with actor and reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import Deed, Order, record

Mode = Literal["off", "drop", "shadow"]
Recording = Callable[[Deed, str], Order]
"""The order under which a deed is recorded in a tenant."""
EVERY = "*"
"""Every tenant, or every activity."""
DEEDS: dict[Mode, Deed] = {"off": "switched off", "drop": "switched to drop", "shadow": "switched to shadow"}


class NoSuchSwitch(LookupError):
    """There is no switch at that place; the text says so."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a switch is about; EVERY stands for all."""

    tenant: str
    activity: str


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch that counts, and how many pieces of open work it is about."""

    tenant: str
    activity: str
    mode: Mode
    made_by: str
    made_at: datetime
    until: datetime | None
    open: int


_SET = text("""
    INSERT INTO switches (tenant, activity, mode, made_by, made_at, until)
    SELECT :tenant, :activity, :mode, :actor, now, now + CAST(:life AS interval) FROM clock_timestamp() AS now
    ON CONFLICT (tenant, activity) DO UPDATE
       SET mode = excluded.mode, made_by = excluded.made_by, made_at = excluded.made_at, until = excluded.until
""")
_STAND_STILL = text("""
    UPDATE work w SET give_up_at = NULL
     WHERE w.settled_at IS NULL AND w.state IN ('planned', 'running') AND w.give_up_at IS NOT NULL
       AND (:tenant = '*' OR w.tenant = :tenant) AND (:activity = '*' OR w.activity = :activity)
""")
_END = text("DELETE FROM switches WHERE tenant = :tenant AND activity = :activity RETURNING mode")
_LET_GO = text("""
    WITH held AS (
        SELECT w.subject, w.lane, dense_rank() OVER (ORDER BY first, w.subject, w.lane) - 1 AS place
          FROM (SELECT subject, lane, min(due) AS first FROM work
                 WHERE settled_at IS NULL AND state IN ('planned', 'running')
                   AND (due <= clock_timestamp() OR let_go > clock_timestamp())
                   AND (lease_until IS NULL OR lease_until <= clock_timestamp())
                   AND (:tenant = '*' OR tenant = :tenant) AND (:activity = '*' OR activity = :activity)
                 GROUP BY subject, lane) w
    )
    UPDATE work w SET due = statement_timestamp() + h.place / CAST(:rate AS float8) * interval '1 second',
                      let_go = statement_timestamp() + h.place / CAST(:rate AS float8) * interval '1 second',
                      give_up_at = NULL
      FROM held h
     WHERE w.subject = h.subject AND w.lane = h.lane AND w.settled_at IS NULL AND w.state IN ('planned', 'running')
       AND (w.due <= clock_timestamp() OR w.let_go > clock_timestamp())
""")
_LIST = text("""
    SELECT s.tenant, s.activity, s.mode, s.made_by, s.made_at, s.until,
           (SELECT count(*) FROM work w
             WHERE w.settled_at IS NULL AND w.state IN ('planned', 'running')
               AND (s.tenant = '*' OR w.tenant = s.tenant) AND (s.activity = '*' OR w.activity = s.activity)) AS open
      FROM switches s
     WHERE s.until IS NULL OR s.until > clock_timestamp()
     ORDER BY s.tenant, s.activity
""")


async def set_switch(
    connection: AsyncConnection,
    place: Place,
    mode: Mode,
    life: timedelta | None,
    tenants: Iterable[str],
    recording: Recording,
) -> None:
    """Sets a switch and records it in each tenant that it is about. `life` None: until it is switched on."""
    named = {"tenant": place.tenant, "activity": place.activity}
    actor = recording(DEEDS[mode], "").actor
    await connection.execute(_SET, named | {"mode": mode, "actor": actor, "life": life})
    if mode == "off":
        # The time to give up begins anew with the next claim, however the switch ends.
        await connection.execute(_STAND_STILL, named)
    lasts = f"{life.total_seconds():.0f} s" if life else "until switched on"
    for tenant in _about(place, tenants):
        await record(connection, recording(DEEDS[mode], tenant), switch=place.activity, lasts=lasts)


async def end_switch(
    connection: AsyncConnection, place: Place, rate: float, tenants: Iterable[str], recording: Recording
) -> int:
    """Ends a switch and lets go what it held, `rate` lanes of people a second; gives the pieces let go.

    Raises NoSuchSwitch.
    """
    named = {"tenant": place.tenant, "activity": place.activity}
    mode = (await connection.execute(_END, named)).scalar_one_or_none()
    if mode is None:
        raise NoSuchSwitch("no such switch: ./hookledger switch list shows them")
    count = 0
    if mode == "off":
        count = await let_go(connection, place, rate)
    for tenant in _about(place, tenants):
        await record(connection, recording("switched on", tenant), switch=place.activity, was=mode)
    return count


async def let_go(connection: AsyncConnection, place: Place, rate: float) -> int:
    """Lets go what was held there, `rate` lanes of people a second; gives the pieces.

    All that is due in one lane becomes due at one time, and the column `let_go` keeps what comes later behind it, so
    that its order stays. What an earlier release has not reached yet is spread anew with the rest.
    """
    values = {"tenant": place.tenant, "activity": place.activity, "rate": rate}
    return (await connection.execute(_LET_GO, values)).rowcount


async def list_switches(connection: AsyncConnection) -> list[Switch]:
    """The switches that count now."""
    return [Switch(*row) for row in await connection.execute(_LIST)]


def _about(place: Place, tenants: Iterable[str]) -> list[str]:
    return list(tenants) if place.tenant == EVERY else [place.tenant]
