"""Entitlements computed anew from the ledger, beside those that the store holds, in one moment's view of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.dropped import dropped_before

KEEPERS = ("change", "creation", "deprovisioning", "provisioning")
"""The activities that keep entitlements."""
_MACHINERY = (
    "failed",
    "refused",
    "retired",
    "cancelled",
    "skipped",
    "unconfirmed",
    "duplicate",
    "secret_gone",
    "erased",
)
"""Outcomes with which an activity wrote nothing."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry of a keeper: what it has written for this delivery."""

    id: int
    delivery: str
    activity: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One entitlement that only one side has: `ledger` as computed anew, `store` as it is held."""

    side: str
    subject: UUID
    application: str
    role: str
    state: str
    since: Any
    until: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows in the store and computed anew, and those that differ."""

    store: int
    ledger: int
    differences: Sequence[Difference]


# Beside the real tables and before them in the search path: the activities' own statements fill these instead.
_BEGIN = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "CREATE TEMPORARY TABLE entitlements (LIKE public.entitlements INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE identities (LIKE public.identities INCLUDING DEFAULTS INCLUDING INDEXES) ON COMMIT DROP",
)
_LAST = text("SELECT coalesce(max(id), 0) FROM entries WHERE tenant = :tenant")
_NEXT = text("""
    SELECT e.id, e.delivery::text AS delivery, e.activity FROM entries e
     WHERE e.id > :after AND e.tenant = :tenant AND e.activity = ANY (CAST(:keepers AS text[]))
       AND e.outcome <> ALL (CAST(:machinery AS text[]))
     ORDER BY e.id LIMIT :most
""")


async def begin(connection: AsyncConnection, tenant: str) -> int:
    """Empty entitlements of this transaction's own, in front of the store's; gives the last entry to go through."""
    for statement in _BEGIN:
        await connection.execute(text(statement))
    return (await connection.execute(_LAST, {"tenant": tenant})).scalar_one()


async def next_kept(connection: AsyncConnection, tenant: str, after: int, most: int) -> list[Kept]:
    """What the keepers wrote, in the order in which they did."""
    values = {
        "tenant": tenant,
        "after": after,
        "most": most,
        "keepers": list(KEEPERS),
        "machinery": list(_MACHINERY),
    }
    return [Kept(row.id, row.delivery, row.activity) for row in await connection.execute(_NEXT, values)]


_INCOMPLETE = text("""
    SELECT s.id FROM subjects s
     WHERE s.tenant = :tenant AND s.seq <> (SELECT count(*) FROM deliveries d WHERE d.subject = s.id)
""")


async def incomplete(connection: AsyncConnection, tenant: str) -> set[UUID]:
    """People of whom retention has dropped deliveries: the ledger does not tell any more how they came to what they have."""
    if "entries" not in await dropped_before(connection, [tenant]):
        return set()
    return set((await connection.execute(_INCOMPLETE, {"tenant": tenant})).scalars())


_SIDES = """
    WITH store AS (
        SELECT subject, application, role, state, since, until, ending_since, uid, opened_by, closed_by
          FROM public.entitlements WHERE tenant = :tenant AND subject <> ALL (CAST(:unknowable AS uuid[]))
    ), ledger AS (
        SELECT subject, application, role, state, since, until, ending_since, uid, opened_by, closed_by
          FROM pg_temp.entitlements WHERE tenant = :tenant AND subject <> ALL (CAST(:unknowable AS uuid[]))
    )
"""
_COUNT = text(
    f"{_SIDES} SELECT (SELECT count(*) FROM store) AS store, (SELECT count(*) FROM ledger) AS ledger"
)
_DIFFERENCES = text(f"""{_SIDES}
    SELECT * FROM (SELECT 'store' AS side, s.* FROM (SELECT * FROM store EXCEPT SELECT * FROM ledger) AS s
                   UNION ALL
                   SELECT 'ledger', l.* FROM (SELECT * FROM ledger EXCEPT SELECT * FROM store) AS l) AS d
     ORDER BY subject, application, role, since, side LIMIT :most
""")


async def compare(
    connection: AsyncConnection, tenant: str, unknowable: Sequence[UUID], most: int
) -> Comparison:
    """The two sides without the people whose bodies were erased; at most so many differences."""
    values = {"tenant": tenant, "unknowable": list(unknowable)}
    counted = (await connection.execute(_COUNT, values)).one()
    found = await connection.execute(_DIFFERENCES, values | {"most": most})
    return Comparison(
        counted.store,
        counted.ledger,
        [Difference(r.side, r.subject, r.application, r.role, r.state, r.since, r.until) for r in found],
    )


_WRONG = f"""{_SIDES}, wrong AS (
        SELECT subject FROM (SELECT * FROM store EXCEPT SELECT * FROM ledger) AS s
         UNION SELECT subject FROM (SELECT * FROM ledger EXCEPT SELECT * FROM store) AS l)
"""
_TAKE_AWAY = text(f"""{_WRONG}
    DELETE FROM public.entitlements e USING wrong w WHERE e.tenant = :tenant AND e.subject = w.subject
""")
_PUT_BACK = text("""
    INSERT INTO public.entitlements (tenant, subject, application, role, state, uid, since, until, opened_by, closed_by, ending_since)
    SELECT t.tenant, t.subject, t.application, t.role, t.state, t.uid, t.since, t.until, t.opened_by, t.closed_by, t.ending_since
      FROM pg_temp.entitlements t
     WHERE t.tenant = :tenant AND t.subject <> ALL (CAST(:unknowable AS uuid[]))
       AND NOT EXISTS (SELECT 1 FROM public.entitlements e WHERE e.tenant = :tenant AND e.subject = t.subject)
""")


async def replace(connection: AsyncConnection, tenant: str, unknowable: Sequence[UUID]) -> None:
    """Gives everybody who differs the entitlements computed anew.

    Fails as a whole (SQLSTATE 40001) if one of them was changed since the transaction began.
    """
    values = {"tenant": tenant, "unknowable": list(unknowable)}
    await connection.execute(_TAKE_AWAY, values)
    await connection.execute(_PUT_BACK, values)
