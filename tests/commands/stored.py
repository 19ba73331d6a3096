"""Deliveries and work in the store, as api and worker leave them there."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from ledger.plan import Plan, Ref
from ledger.receive import Delivery, Planned, plan_text, receive
from ledger.work import Ending, claim, settle
from tests.support import delivery


def planned(activity: str = "mail") -> Planned:
    """Work that is due at once."""
    return Planned(activity, activity, plan_text(Plan()), timedelta(0), waits=False)


async def waiting(pool: Pool, login: str) -> UUID:
    """A delivery whose mail has not been sent; gives its id."""
    d = delivery(login, "postCreateUser", work=[planned()])
    await receive(pool, d)
    return d.id


async def ended(
    pool: Pool, engine: AsyncEngine, login: str, outcome: str, fault: str | None = None, *, held: bool = False
) -> UUID:
    """A delivery whose mail went so; gives its id."""
    id_ = await waiting(pool, login)
    ref = Ref(str(id_), "mail")
    async with engine.begin() as connection:
        await claim(connection, [ref], lease=30)
        await settle(connection, [Ending(ref, 1, outcome, fault=fault, held=held)], "test")
    return id_


def probe() -> Delivery:
    """The platform's own test call."""
    return delivery("", "test", person=None)
