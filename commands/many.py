"""`redrive-all`, `requests`, `approve`, `reject`: work redriven by a filter, and deeds that wait for another person."""

import re
from dataclasses import asdict, dataclass
from functools import partial
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.erasing.erase import erased
from commands.output import as_json, console, print_lines, printable
from commands.requested import say_asked
from ledger.bulk import MoreThanCounted, Selection, count, find
from ledger.erasable import Blocked
from ledger.operate import NoSuchWork
from ledger.requests import NoSuchRequest, Request, SamePerson, list_requests
from ledger.visit import OutOfReach, visit
from runtime import four_eyes
from runtime.deeds import order
from runtime.erasing import Done as Erased
from runtime.erasing import Impossible
from runtime.os_user import os_user
from settings import Settings

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*s)?")
_WRONG = (OutOfReach, NoSuchWork, MoreThanCounted, NoSuchRequest, SamePerson)


@dataclass(frozen=True, slots=True)
class Doing:
    """Who acts and why. `actor` None is the user of this machine, `os:NAME`."""

    settings: Settings
    reason: str | None = None
    actor: str | None = None
    as_object: bool = False

    @property
    def who(self) -> str:
        """As it stands in the ledger."""
        return self.actor or os_user()

    def why(self) -> str:
        """The reason, or the end of the command."""
        reason = (self.reason or "").strip()
        if not reason:
            stop("--reason is missing: an auditor will read it")
        return reason


def per_second(rate: str) -> float:
    """`--rate`, or the end of the command."""
    found = _RATE.fullmatch(rate.strip())
    if found is None or not 0.1 <= float(found[1]) <= 1000:
        stop("--rate: 0.1/s to 1000/s, such as 20/s")
    return float(found[1])


async def redrive_all(doing: Doing, selection: Selection, *, yes: bool) -> None:
    """Counts; with `yes` redrives what was counted, or asks for it. Raises typer.Exit: 2 it cannot be done."""
    begin = partial(visit, doing.settings.store)
    try:
        async with begin() as connection:
            counted = await count(connection, selection)
            total = sum(counted.values())
            refs = await find(connection, selection, total) if yes else []
        if not yes:
            _show_count(doing, counted)
            return
        reason = doing.why()
        if four_eyes.wants_another(doing.settings, selection.tenant, four_eyes.BULK):
            parameters = selection.parameters()
            asked = await four_eyes.request(
                begin, four_eyes.BULK, doing.who, reason, selection.tenant, parameters, total
            )
            say_asked(asked, as_object=doing.as_object)
            return
        like = order("redrive", doing.who, reason, tenant=selection.tenant)
        err = Console(stderr=True)
        columns = TextColumn("Redriving"), BarColumn(), MofNCompleteColumn()
        hidden = doing.as_object or not err.is_terminal
        with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
            task = bar.add_task("work", total=len(refs))
            done = await four_eyes.redrive_all(
                begin, doing.settings, selection, refs, like, say=lambda n: bar.update(task, completed=n)
            )
    except _WRONG as wrong:
        stop(f"nothing more was done: {wrong}")
    _show_done(doing, done)


async def listing(doing: Doing, tenant: str | None) -> None:
    """Prints what waits for another person, the oldest first."""
    try:
        async with visit(doing.settings.store) as connection:
            found = await list_requests(connection, [tenant] if tenant else list(doing.settings.tenants))
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if doing.as_object:
        print_lines(shown(request) for request in found)
    elif not found:
        console().print("nothing waits for another person")
    else:
        _show_requests(found)


async def approve(doing: Doing, id_: str) -> None:
    """Does what somebody else asked for."""
    begin = partial(visit, doing.settings.store)
    number, tenants = _id(id_), list(doing.settings.tenants)
    try:
        asked, done = await four_eyes.approve(
            begin, doing.settings, number, tenants, doing.who, doing.why(), admins=tenants
        )
    except (*_WRONG, *Impossible, Blocked) as wrong:
        stop(f"nothing was approved: {wrong}")
    console().print(
        f"approved: {asked.deed} of {asked.tenant}, asked for by {printable(asked.maker)}", markup=False
    )
    match done:
        case four_eyes.Redriven():
            _show_done(doing, done)
        case Erased():
            erased(done, as_object=doing.as_object)
        case None:
            pass


async def reject(doing: Doing, id_: str) -> None:
    """Ends a request without doing it."""
    tenants = list(doing.settings.tenants)
    try:
        asked = await four_eyes.reject(
            partial(visit, doing.settings.store), _id(id_), tenants, doing.who, doing.why()
        )
    except _WRONG as wrong:
        stop(f"{wrong}")
    console().print(
        f"rejected: {asked.deed} of {asked.tenant}, asked for by {printable(asked.maker)}", markup=False
    )


def shown(request: Request) -> dict[str, object]:
    """A request as programs see it."""
    return {**asdict(request), "hash": request.hash.hex()}


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        stop(f"{text} is no id of a request: copy it from ./hookledger requests")


def _show_count(doing: Doing, counted: dict[str, int]) -> None:
    total = sum(counted.values())
    if doing.as_object:
        print(as_json({"counted": total, "activities": counted}))
        return
    out = console()
    for activity, number in counted.items():
        out.print(f"{number:>8,}  {activity}", markup=False)
    out.print(f"{total:>8,}  in all" + ('; --yes --reason "…" redrives them' if total else ""))


def _show_done(doing: Doing, done: four_eyes.Redriven) -> None:
    if doing.as_object:
        print(as_json(asdict(done)))
        return
    console().print(f"{done.pieces:,} pieces of work of {done.people:,} people to run again")
    if done.late:
        typer.echo(done.late)


def _show_requests(found: list[Request]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("request", "tenant", "deed", "count", "asked by", "until (UTC)", "reason"):
        table.add_column(name, overflow="fold", no_wrap=name == "request")
    for r in found:
        table.add_row(
            str(r.id), Text(r.tenant), r.deed, f"{r.counted:,}", Text(printable(r.maker)), f"{r.expires_at:%Y-%m-%d %H:%M}",
            Text(printable(r.reason)) if r.reason is not None else Text("erased", "dim"),
        )  # fmt: skip
    console().print(table)
