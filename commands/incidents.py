"""`incidents list`, `show`, `redrive`: one cause of many failures is looked at and put right as one."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from rich.text import Text

from commands.ending import stop
from commands.many import Doing, per_second, redrive_all
from commands.output import as_json, console, print_lines, printable
from commands.times import ago
from ledger.bulk import Selection
from ledger.engine import Connection
from ledger.incidents import Incident, NoSuchIncident, close_by_hand, list_incidents, show_incident
from ledger.operate import Order
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from settings import Settings

T = TypeVar("T")


async def listing(settings: Settings, tenant: str | None, *, closed: bool, lines: bool) -> None:
    """Prints the incidents that are open, with `closed` also the others."""
    tenants = [tenant] if tenant else list(settings.tenants)
    found = await _done(settings, lambda c: list_incidents(c, tenants, closed=closed))
    if lines:
        print_lines(asdict(incident) for incident in found)
        return
    if not found:
        console().print("no incident is open" if not closed else "there was no incident")
        return
    now, out = datetime.now(UTC), console()
    for i in found:
        out.print(Text(f"{i.activity} of {i.tenant}: {printable(i.cause)}", style="bold"), soft_wrap=True)
        out.print(Text("  ").append_text(_state(i)).append(f", began {ago(i.first_seen, now)}"))
        held = (
            f"{i.users:,} people; {i.held:,} held" if i.closed_at is None else f"{i.released or 0:,} let go"
        )
        out.print(f"  {held}; {i.failed:,} gave up", highlight=False)
        out.print(f"  {i.id}", highlight=False)


async def show(settings: Settings, id_: str, *, as_object: bool) -> None:
    """Prints one."""
    incident = await _done(settings, lambda c: show_incident(c, list(settings.tenants), _id(id_)))
    if as_object:
        print(as_json(asdict(incident)))
        return
    out = console()
    out.print(f"{incident.activity} of {incident.tenant}: {printable(incident.cause)}", markup=False)
    out.print(f"  first seen   {incident.first_seen:%Y-%m-%d %H:%M:%S} UTC")
    out.print(f"  last seen    {incident.last_seen:%Y-%m-%d %H:%M:%S} UTC")
    out.print(Text("  state        ").append_text(_state(incident)))
    if incident.closed_at is None:
        every = settings.breaker.probe_every
        out.print(
            f"  held         {incident.held:,} pieces of {incident.users:,} people; tried for one every {every:g} s"
        )
        out.print(f"  then         let go by itself, {settings.breaker.rate:g} people a second")
    else:
        out.print(
            f"  let go       {incident.released or 0:,} pieces, {incident.closed_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if incident.failed:
        out.print(f"  gave up      {incident.failed:,} pieces")
        out.print(f'  put right    ./hookledger incidents redrive {incident.id} --rate 20/s --reason "…"')


async def redrive(doing: Doing, id_: str, rate: str) -> None:
    """Closes it if it is open, which lets go what it holds, and runs again what gave up for its cause."""
    number, tenants, speed = _id(id_), list(doing.settings.tenants), per_second(rate)
    reason = doing.why()

    def over(tenant: str) -> Order:
        return order("incident closed", doing.who, reason, tenant=tenant)

    incident = await _done(doing.settings, lambda c: show_incident(c, tenants, number))
    released = 0
    if incident.closed_at is None:
        released = await _done(doing.settings, lambda c: close_by_hand(c, number, tenants, speed, over))
        if not doing.as_object:
            console().print(f"closed; {released:,} held are let go, {speed:g} people a second")
    if not incident.failed:
        if doing.as_object:
            print(as_json({"let go": released, "pieces": 0}))
        else:
            console().print("nothing gave up for its cause")
        return
    selection = Selection(
        incident.tenant, ("failed", "held"), incident.activity,
        since=incident.first_seen, cause=incident.cause, rate=speed,
    )  # fmt: skip
    await redrive_all(doing, selection, yes=True)


def _state(incident: Incident) -> Text:
    return Text("open", "red") if incident.closed_at is None else Text("over", "green")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        stop(f"{printable(text)} is no id of an incident: copy it from ./hookledger incidents list")


async def _done(settings: Settings, deed: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        async with visit(settings.store) as connection:
            return await deed(connection)
    except (OutOfReach, NoSuchIncident) as wrong:
        stop(f"{wrong}")
