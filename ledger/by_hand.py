"""What was done in Temporal itself, as the ledger keeps it: each deed once, however often it is found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import Order, operate, record

_NOTE = text("""
    INSERT INTO found_in_temporal (key, found_at) VALUES (:key, clock_timestamp()) ON CONFLICT (key) DO NOTHING RETURNING key
""")
_WHOSE = text("SELECT id, tenant FROM subjects WHERE workflow_id = :workflow_id")
_LOOKED = text("SELECT until FROM watched WHERE tenant = '' AND hook = :mark")
_MARK = text("""
    INSERT INTO watched (tenant, hook, until) VALUES ('', :mark, :until)
    ON CONFLICT (tenant, hook) DO UPDATE SET until = greatest(watched.until, excluded.until)
""")


@dataclass(frozen=True, slots=True)
class ByHand:
    """One deed. `actor` is as it called itself; `reason` is its own text, which may name somebody: erasable."""

    key: UUID
    what: str
    actor: str
    reason: str
    at: datetime
    workflow: str
    """The workflow's type."""
    workflow_id: str
    run: str
    tenant: str | None
    more: dict[str, Any]


MakeOrder = Callable[[str | None, UUID | None, dict[str, Any]], Order]
"""Makes an order of a tenant, about a person or nobody, with this detail."""


async def enter(connection: AsyncConnection, found: ByHand, tenants: Iterable[str], make: MakeOrder) -> bool:
    """One entry about the person whose run it was; of a run that is nobody's, one in each tenant. False: it was there."""
    if (await connection.execute(_NOTE, {"key": found.key})).first() is None:
        return False
    detail = {
        "what": found.what,
        "workflow": found.workflow,
        "run": found.run,
        "at": found.at.isoformat(),
        "reason given": bool(found.reason),
        **found.more,
    }
    person = (await connection.execute(_WHOSE, {"workflow_id": found.workflow_id})).first()
    if person is not None:
        await operate(connection, make(person.tenant, person.id, detail))
        return True
    for tenant in [found.tenant] if found.tenant else tenants:
        await record(connection, make(tenant, None, detail), **detail)
    return True


async def looked_until(connection: AsyncConnection, mark: str) -> datetime | None:
    """Up to when runs were looked at, by Temporal's clock; None before the first look."""
    return (await connection.execute(_LOOKED, {"mark": mark})).scalar_one_or_none()


async def note_looked(connection: AsyncConnection, mark: str, until: datetime) -> None:
    """Never back."""
    await connection.execute(_MARK, {"mark": mark, "until": until})
