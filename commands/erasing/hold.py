"""`ledger hold`: places, releases and lists legal holds."""

from collections.abc import Sequence
from uuid import UUID

from rich.table import Table

from commands.ending import stop
from commands.erasing.person import the_one
from commands.output import as_json, console, print_lines, printable
from ledger.legal_holds import LegalHold, place, release, standing
from ledger.operate import NoSuchWork
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from runtime.os_user import os_user
from settings import Settings


async def hold(
    settings: Settings, user: str, reason: str, actor: str | None, tenant: str | None, *, as_object: bool
) -> None:
    """Holds everything of one person."""
    who = _actor(actor, reason)
    try:
        async with visit(settings.store) as connection:
            person = await the_one(connection, settings, user, tenant)
            ordered = order("legal hold", who, reason.strip(), tenant=person.tenant, subject=person.subject)
            await place(connection, ordered)
    except (OutOfReach, NoSuchWork) as wrong:
        stop(f"nothing was done: {wrong}")
    if as_object:
        print(as_json({"hold": ordered.new_id, "person": person.subject, "tenant": person.tenant}))
    else:
        console().print(f"held: nothing of {person.subject} goes before hold {ordered.new_id} is released")


async def let_go(
    settings: Settings, user: str, reason: str, actor: str | None, tenant: str | None, id_: UUID | None
) -> None:
    """Releases a hold: the only one that stands, or the one named."""
    who = _actor(actor, reason)
    try:
        async with visit(settings.store) as connection:
            person = await the_one(connection, settings, user, tenant)
            held = await standing(connection, person.tenant, person.subject)
            if id_ is None and len(held) > 1:
                stop(f"several holds stand, choose with --id: {', '.join(str(h.id) for h in held)}")
            ordered = order(
                "hold released", who, reason.strip(), tenant=person.tenant, subject=person.subject
            )
            released = id_ or (held[0].id if held else None)
            if released is None or released not in {h.id for h in held}:
                stop("nothing was done: no such hold stands on this person")
            await release(connection, ordered, released)
    except (OutOfReach, NoSuchWork) as wrong:
        stop(f"nothing was done: {wrong}")
    left = len(held) - 1
    console().print(f"hold {released} is released" + (f"; {left} more still stand" if left else ""))


async def listing(settings: Settings, tenant: str | None, *, lines: bool) -> None:
    """Those that stand: pseudonyms, no names."""
    try:
        async with visit(settings.store) as connection:
            held = await standing(connection, tenant)
    except OutOfReach as wrong:
        stop(str(wrong))
    if lines:
        print_lines(
            {"id": h.id, "tenant": h.tenant, "person": h.subject, "by": h.placed_by, "since": h.since}
            for h in held
        )
    elif held:
        _show(held)
    else:
        console().print("no legal hold stands")


def _show(held: Sequence[LegalHold]) -> None:
    table = Table("hold", "tenant", "person", "by", "since", box=None, pad_edge=False, header_style="bold")
    for h in held:
        table.add_row(
            str(h.id), h.tenant, str(h.subject), printable(h.placed_by), f"{h.since:%Y-%m-%d %H:%M}"
        )
    console().print(table)


def _actor(actor: str | None, reason: str) -> str:
    if not reason.strip():
        stop("--reason is empty: an auditor will read it")
    return actor or os_user()
