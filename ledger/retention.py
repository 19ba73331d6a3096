"""Months are made ahead, and those over age are dropped; the store does it, refuses what is too young, and records it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.dropped import OUTCOME

MOST_ROWS = 20_000
"""Of one statement that deletes rows; then others get a turn."""


class PutOff(Exception):
    """It cannot be done now; the text says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Part:
    """One month of one store. `first` None: and everything before; `beyond` None: what belongs to no month."""

    store: str
    first: date | None
    beyond: date | None
    rows: int
    """About."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What is in a month, and how much of it outlives it."""

    store: str
    rows: int
    kept: int


@dataclass(frozen=True, slots=True)
class Gone:
    """What was dropped of a tenant: rows by store."""

    tenant: str
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DroppedDeed:
    """A deed of retention, as its entry tells it."""

    entry: int
    at: datetime
    tenant: str
    actor: str
    detail: Mapping[str, Any]


_MONTHS = text(
    "SELECT store, first, beyond, greatest(about, 0) FROM months ORDER BY store, beyond NULLS LAST"
)
_REST = text("SELECT count_rest()")
_MAKE = text("SELECT make_months(:ahead)")
_WEIGH = text("SELECT o_store, o_rows, o_kept FROM weigh_month(:class, :beyond)")
_DROP = text("SELECT o_tenant, o_dropped FROM drop_month(:class, :beyond, :keep, :actor, :release)")
_DROP_ROWS = text(
    "SELECT o_tenant, o_dropped FROM drop_rows(:class, :beyond, :keep, :most, :actor, :release)"
)
_DEEDS = text(f"""
    SELECT e.id, e.at, e.tenant, e.actor, e.detail FROM entries e
     WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.hook = 'operator' AND e.outcome = '{OUTCOME}'
     ORDER BY e.id DESC LIMIT :most
""")
_TODAY = text("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
_IN_WORDS = {
    "55P03": "somebody has been reading for long, and would have to wait",
    "40P01": "somebody else was at the same rows",
    "57014": "it took too long",
    "HL002": "the month is too young: the store's legal_floor() is above what is configured",
    "HL004": "entries of the month are not sealed: they would be gone without a trace",
}
"""By SQLSTATE: PostgreSQL's appendix A, and the store's own."""


async def read_months(connection: AsyncConnection) -> list[Part]:
    """All there are, oldest first within each store."""
    return [Part(*row) for row in await connection.execute(_MONTHS)]


async def count_rest(connection: AsyncConnection) -> int:
    """Deliveries and entries that belong to no month, counted up to a thousand of each."""
    return (await connection.execute(_REST)).scalar_one()


async def today(connection: AsyncConnection) -> date:
    """In UTC, by the store's clock."""
    return (await connection.execute(_TODAY)).scalar_one()


def due_before(day: date, keep: timedelta) -> date:
    """The first day of the oldest month that is still kept: what ended by then is over age."""
    return (day - keep).replace(day=1)


async def make_months(connection: AsyncConnection, ahead: int) -> int:
    """Makes what lacks; gives how many. Raises PutOff."""
    return (await _try(connection, _MAKE, {"ahead": ahead}))[0][0]


async def weigh(connection: AsyncConnection, class_: str, beyond: date) -> list[Weight]:
    """What is in a month, by store."""
    return [Weight(*row) for row in await connection.execute(_WEIGH, {"class": class_, "beyond": beyond})]


@dataclass(frozen=True, slots=True)
class Order:
    """What to drop of one class: everything before `beyond`, because rows are kept so long. `release`: the code's version."""

    class_: str
    beyond: date
    keep: timedelta
    actor: str
    release: str

    def values(self) -> dict[str, Any]:
        """For the statements."""
        told = {"keep": self.keep, "actor": self.actor, "release": self.release}
        return told | {"class": self.class_, "beyond": self.beyond}


async def drop_month(connection: AsyncConnection, order: Order) -> list[Gone]:
    """Drops the one month that ends there, but for what is still needed, and records it. Raises PutOff."""
    return [Gone(tenant, dropped) for tenant, dropped in await _try(connection, _DROP, order.values())]


async def drop_rows(connection: AsyncConnection, order: Order) -> list[Gone]:
    """Drops some of the rows before then, and records it. Raises PutOff."""
    rows = await _try(connection, _DROP_ROWS, order.values() | {"most": MOST_ROWS})
    return [Gone(tenant, {order.class_: dropped}) for tenant, dropped in rows]


async def read_deeds(connection: AsyncConnection, tenants: Sequence[str], most: int) -> list[DroppedDeed]:
    """The newest first."""
    rows = await connection.execute(_DEEDS, {"tenants": list(tenants), "most": most})
    return [DroppedDeed(*row) for row in rows]


async def _try(connection: AsyncConnection, statement: Any, values: Mapping[str, Any]) -> Sequence[Any]:
    try:
        return (await connection.execute(statement, values)).all()
    except DBAPIError as wrong:
        state = getattr(wrong.orig, "sqlstate", None)
        if state in _IN_WORDS:
            raise PutOff(_IN_WORDS[state]) from None
        raise
