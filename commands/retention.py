"""`ledger retention`: how long each class is kept, which months are there, what goes next, and what went; or does a round now."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, cast

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from ledger import retention
from ledger.retained import Retained
from ledger.retention import DroppedDeed, Part
from ledger.visit import OutOfReach, visit
from runtime.os_user import os_user
from runtime.retaining import retain
from settings import Settings
from settings.retention import CLASSES, IN_MONTHS

_DEEDS = 20
_ALL = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One class. `since`: the first month that is whole; `next`: the day on which the oldest is over age, None: nothing is there
    to go, or it is kept forever."""

    name: str
    days: int | None
    months: int | None
    """How many there are; None for rows that do not lie in months."""
    since: date | None
    next: date | None


def show(settings: Settings, *, as_object: bool) -> None:
    """Prints how things stand. Raises typer.Exit."""
    try:
        day, parts, rest, deeds = asyncio.run(_read(settings, _ALL if as_object else _DEEDS))
    except OutOfReach as wrong:
        stop(f"{wrong}")
    kept = [_kept(settings, name, parts, day) for name in CLASSES]
    if as_object:
        told = {"classes": _plain(kept), "months": _plain(parts), "rest": rest, "deeds": _plain(deeds)}
        print(as_json(told))
        return
    out = console()
    out.print(_classes(kept))
    ahead = max((p.beyond for p in parts if p.beyond), default=day)
    out.print(
        f"months are made up to {ahead - timedelta(days=1):%Y-%m}; what is over age goes once a day, about 01:40 UTC"
    )
    if rest:
        out.print(
            f"[yellow]{rest:,} rows belong to no month:[/] a clock was far off, or months lacked; they are never dropped"
        )
    out.print(_deeds(deeds) if deeds else "[dim]nothing has been dropped yet")


def do_now(settings: Settings, *, rehearse: bool, as_object: bool) -> None:
    """One round. Raises typer.Exit: 0 done, 1 something was put off, 2 it could not be done."""
    err = Console(stderr=True)
    try:
        with Status("Looking" if rehearse else "Dropping", console=err) if err.is_terminal else err:
            done = asyncio.run(retain(settings, os_user(), rehearse=rehearse))
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if as_object:
        print(as_json({"rehearsed": rehearse, "clean": done.clean, **asdict(done)}))
    else:
        _show(console(), done, rehearse=rehearse)
    raise typer.Exit(0 if done.clean else 1)


async def _read(settings: Settings, most: int) -> tuple[date, list[Part], int, list[DroppedDeed]]:
    async with visit(settings.store) as connection:
        return (
            await retention.today(connection),
            await retention.read_months(connection),
            await retention.count_rest(connection),
            await retention.read_deeds(connection, list(settings.tenants), most),
        )


def _kept(settings: Settings, name: str, parts: Sequence[Part], day: date) -> Kept:
    keep = settings.ledger.retention.classes[name]
    days = None if keep is None else keep.days
    if name not in IN_MONTHS:
        return Kept(name, days, None, None if keep is None else retention.due_before(day, keep), None)
    ours = [p for p in parts if p.store == name and p.beyond]
    young = [p for p in ours if p.beyond and (keep is None or p.beyond > retention.due_before(day, keep))]
    first = young[0] if young else None
    going = first.beyond + keep if first and first.beyond and keep is not None else None
    return Kept(name, days, len(ours), first.first if first else None, going)


def _classes(kept: Sequence[Kept]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("class", "kept", "months", "since", "next goes"):
        table.add_column(name, justify="right" if name in ("kept", "months") else "left")
    for one in kept:
        table.add_row(
            one.name,
            "forever" if one.days is None else f"{one.days:,} days",
            "" if one.months is None else str(one.months),
            "the beginning" if one.since is None else f"{one.since:%Y-%m}",
            _when(one),
        )
    return table


def _when(one: Kept) -> str:
    if one.next is not None:
        return f"{one.next}"
    return "never" if one.days is None else "rows before then, every day" if one.months is None else ""


def _deeds(deeds: Sequence[DroppedDeed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="What went", title_justify="left")
    for name in ("when (UTC)", "tenant", "class", "month", "dropped", "kept", "by", "entry"):
        table.add_column(name, overflow="fold")
    for deed in deeds:
        told = deed.detail
        table.add_row(
            f"{deed.at:%Y-%m-%d %H:%M}",
            *(Text(printable(str(value))) for value in (deed.tenant, told.get("class"), told.get("month"))),
            *(Text(printable(_counts(told.get(name)))) for name in ("dropped", "kept")),
            Text(printable(deed.actor)),
            str(deed.entry),
        )
    return table


def _counts(counts: Any) -> str:
    told = cast("dict[str, Any]", counts) if isinstance(counts, dict) else {}
    return ", ".join(f"{count:,} {store}" for store, count in told.items() if count)


def _show(out: Console, done: Retained, *, rehearse: bool) -> None:
    if done.trouble:
        out.print(f"[red]no months were made:[/] {done.trouble}")
    elif not rehearse:
        out.print(f"{done.made} tables for months to come were made")
    for step in done.steps:
        verb = "would go" if rehearse else "gone"
        stays = f"; {_counts(step.kept)} still needed" if any(step.kept.values()) else ""
        out.print(
            Text.assemble(
                (f"{step.class_} of {step.month}", "bold"),
                f": {_counts(step.dropped) or 'nothing'} {verb}{stays}",
            )
        )
        if step.trouble:
            out.print(Text(f"    put off: {step.trouble}", "yellow"))
    if not done.steps:
        out.print("nothing is over age")


def _plain(rows: Sequence[Kept | Part | DroppedDeed]) -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(row).items()}
        for row in rows
    ]
