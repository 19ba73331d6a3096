"""An operator's deed, wherever it is ordered: on the command line, over HTTP, on a page."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import uuid_utils
from temporalio.client import Client
from temporalio.service import RPCError

from activities._registry import registry
from ledger.operate import Deed, Done, Order
from ledger.sweep import Unrung, find_unrung, note_rung
from ledger.visit import visit
from runtime.bell import Ring, ring
from runtime.client import connect
from runtime.version import code_version
from settings import Settings

MOST_RUNG = 100_000
"""People whom a deed about everybody rings; the sweep rings the rest."""
_AT_ONCE = 16


def order(
    deed: Deed,
    actor: str,
    reason: str,
    *,
    tenant: str | None = None,
    delivery: UUID | None = None,
    activity: str | None = None,
    subject: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Order:
    """An order with an id of its own, by the release that runs."""
    return Order(
        deed=deed,
        actor=actor,
        reason=reason,
        new_id=UUID(int=uuid_utils.uuid7().int),
        code_version=code_version(tuple(registry())),
        tenant=tenant,
        delivery=delivery,
        activity=activity,
        subject=subject,
        detail=detail or {},
    )


async def ring_after(settings: Settings, done: Done, client: Client | None = None) -> str | None:
    """Rings the person whose work changed. What went wrong, if Temporal is out of reach: the sweep makes it good."""
    try:
        client = client or await connect(lazy=True)
        rung = Ring(done.subject, done.workflow_id, done.tenant, done.login, done.seq, "operator")
        await ring(client, settings.temporal, rung)
    except (RPCError, RuntimeError, OSError) as wrong:
        within = settings.sweep.quiet + settings.sweep.interval
        return (
            f"Temporal is out of reach ({type(wrong).__name__}): the sweep will pick it up, "
            f"{within:.0f} s after Temporal and a worker are back at the latest"
        )
    return None


async def ring_open(settings: Settings) -> str | None:
    """Rings everybody who has open work that is due, also those whose run goes on: it may think it done."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def rung(client: Client, person: Unrung) -> bool:
        async with slots:
            try:
                who = Ring(
                    person.subject, person.workflow_id, person.tenant, person.login, person.seq, person.hook
                )
                await ring(client, settings.temporal, who, running=True)
            except (RPCError, RuntimeError, OSError):
                return False
        return True

    async with visit(settings.store) as connection:
        found = await find_unrung(connection, unrung=0, quiet=0, most=MOST_RUNG)
    if not found:
        return None
    try:
        client = await connect(lazy=False)
        done = await asyncio.gather(*(rung(client, person) for person in found))
    except (RPCError, RuntimeError, OSError) as wrong:
        return (
            f"nobody was rung ({type(wrong).__name__}): the sweep does it when Temporal and a worker are back"
        )
    told = [person.subject for person, ok in zip(found, done, strict=True) if ok]
    async with visit(settings.store) as connection:
        await note_rung(connection, told)
    late = len(found) - len(told)
    return f"{len(told):,} people rung" + (f"; {late:,} are left to the sweep" if late else "")
