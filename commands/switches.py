"""`switch list`, `off`, `shadow`, `on`: what is held, dropped or rehearsed; each change is an entry."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from activities._registry import registry
from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.times import ago, duration
from ledger.engine import Connection
from ledger.operate import Deed, Order
from ledger.switches import EVERY, Mode, NoSuchSwitch, Place, Recording, end_switch, list_switches, set_switch
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from runtime.os_user import os_user
from settings import Settings

T = TypeVar("T")
ALL = "all"
"""What a user writes for every activity."""
_LIFE = re.compile(r"([1-9]\d{0,4})\s*([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SAID: dict[Mode, str] = {
    "off": "off: its work is held, and let go by ./hookledger switch on",
    "drop": "off: its work is settled as skipped, and not run later",
    "shadow": "in shadow: its work is recorded as shadow, and not run later",
}


async def listing(settings: Settings, *, lines: bool) -> None:
    """Prints the switches that count now."""
    switches = await _done(settings, list_switches)
    now = datetime.now(UTC)
    if lines:
        print_lines(asdict(switch) for switch in switches)
        return
    if not switches:
        console().print("no switch is set: everything runs")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("activity", "tenant", "mode", "open work", "set", "ends"):
        table.add_column(name, overflow="fold", justify="right" if name == "open work" else "left")
    for switch in switches:
        left = f"in {duration((switch.until - now).total_seconds())}" if switch.until else "when switched on"
        table.add_row(
            ALL if switch.activity == EVERY else Text(switch.activity),
            Text("all", "dim") if switch.tenant == EVERY else Text(switch.tenant),
            Text(switch.mode, "yellow"),
            f"{switch.open:,}",
            Text(f"{ago(switch.made_at, now)} by {printable(switch.made_by)}"),
            left,
        )
    console().print(table)


async def put(
    settings: Settings,
    mode: Mode,
    name: str,
    tenant: str | None,
    lasts: str | None,
    reason: str,
    actor: str | None,
) -> None:
    """Sets a switch. A built-in that keeps the books may be held, but never dropped or put in shadow."""
    place, life = _place(name, tenant), _life(lasts)
    known = registry().get(name)
    if known is None and name != ALL:
        stop(f"no activity {printable(name)}: ./hookledger activities lists them")
    if known is not None and known.plan.bookkeeping and mode != "off":
        stop(
            f"{name} keeps the books: it may be held (off), but the ledger would miss facts for good if dropped"
        )
    recording = _recording(reason, actor)
    await _done(settings, lambda c: set_switch(c, place, mode, life, settings.tenants, recording))
    until = f", for {lasts.strip()}" if lasts else ""
    console().print(f"{name} of {tenant or 'all tenants'} is {_SAID[mode]}{until}", markup=False)


async def end(
    settings: Settings, name: str, tenant: str | None, rate: float, reason: str, actor: str | None
) -> None:
    """Ends a switch."""
    recording = _recording(reason, actor)
    place = _place(name, tenant)
    count = await _done(settings, lambda c: end_switch(c, place, rate, settings.tenants, recording))
    held = f"; {count:,} held are let go, {rate:g} people a second" if count else ""
    console().print(f"{name} of {tenant or 'all tenants'} is on{held}", markup=False)


def _place(name: str, tenant: str | None) -> Place:
    return Place(tenant or EVERY, EVERY if name == ALL else name)


def _life(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _LIFE.fullmatch(text.strip().lower())
    if found is None:
        stop("--for: a time is 30m, 2h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def _recording(reason: str, actor: str | None) -> Recording:
    if not reason.strip():
        stop("--reason is empty: an auditor will read it")
    who = actor or os_user()

    def recording(deed: Deed, tenant: str) -> Order:
        return order(deed, who, reason.strip(), tenant=tenant)

    return recording


async def _done(settings: Settings, deed: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        async with visit(settings.store) as connection:
            return await deed(connection)
    except (OutOfReach, NoSuchSwitch) as wrong:
        stop(f"{wrong}")
