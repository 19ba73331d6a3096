"""An operator's deed, wherever it is ordered: on the command line, over HTTP, on a page."""

from uuid import UUID

import uuid_utils
from temporalio.client import Client
from temporalio.service import RPCError

from activities._registry import registry
from ledger.operate import Deed, Done, Order
from runtime.bell import Ring, ring
from runtime.client import connect
from runtime.version import code_version
from settings import Settings


def order(
    deed: Deed,
    actor: str,
    reason: str,
    *,
    tenant: str | None = None,
    delivery: UUID | None = None,
    activity: str | None = None,
    subject: UUID | None = None,
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
