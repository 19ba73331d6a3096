"""`key new`, `key list`, `key revoke`: keys of those who ask the ledger over HTTP; each deed is an entry."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.every_key import every_key, show_every_key
from commands.output import as_json, console, print_lines, printable
from commands.times import ago, duration
from ledger import key_text
from ledger.engine import Connection
from ledger.keys import Key, NewKey, NoSuchKey, Recording, list_keys, make_key, revoke_key
from ledger.operate import Deed
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from runtime.os_user import os_user
from settings import Settings
from settings.query import Role

T = TypeVar("T")
LONGEST = timedelta(days=366)
_LIFE = re.compile(r"([1-9]\d{0,5})\s*([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_STYLES = {"good": "green", "expired": "yellow", "revoked": "dim"}


def parse_life(text: str) -> timedelta:
    """How long a key shall live: 8h, 90d, 52w. Raises ValueError, whose text names the forms."""
    found = _LIFE.fullmatch(text.strip().lower())
    life = int(found[1]) * _UNITS[found[2]] if found else None
    if life is None or life > LONGEST:
        raise ValueError(f"a life is 8h, 90d or 52w, and at most {LONGEST.days}d: keys are renewed, not kept")
    return life


async def new(
    settings: Settings,
    role: Role,
    tenant: str | None,
    life: str,
    label: str,
    reason: str,
    actor: str | None,
    *,
    as_object: bool,
) -> None:
    """Makes a key and prints it, this once. The key alone goes to standard output."""
    try:
        lives = parse_life(life)
    except ValueError as wrong:
        stop(f"--expires: {wrong}")
    if not label.strip() or len(label) > 200:
        stop("--label: 1 to 200 characters that say what the key is for, not whose it is")
    text = key_text.make()
    wanted = NewKey(text, role, tenant, label.strip(), lives)
    recording = _recording("key made", reason, actor)
    key = await _done(settings, lambda c: make_key(c, wanted, settings.tenants, recording))
    if as_object:
        typer.echo(as_json({"key": text.text} | _shown(key)))
        return
    typer.echo(text.text)
    sees = "all tenants" if key.tenant is None else key.tenant
    told = Console(stderr=True, highlight=False)
    told.print(
        f"This is the only time that it is shown. Key {key.id}: {key.role} of {sees}, until "
        f"{key.expires_at:%Y-%m-%d %H:%M} UTC.",
        markup=False,
    )


async def listing(settings: Settings, tenant: str | None, *, ended: bool, api: bool, lines: bool) -> None:
    """Prints what there is to know of each key, never the keys themselves; of those in the store alone if `api`."""
    wanted = None if tenant is None else [tenant]
    now = datetime.now(UTC)
    if not api:
        every = every_key(settings, tenant)
        if lines:
            print_lines(asdict(line) for line in every)
        else:
            show_every_key(every, now)
            console().print("\nKeys of those who ask over HTTP", style="bold")
    keys = await _done(settings, lambda c: list_keys(c, wanted, ended=ended))
    if lines:
        print_lines((({} if api else {"kind": "api"}) | _shown(key)) for key in keys)
    elif not keys:
        console().print("no key" if ended else "no key that is good; --all shows those that ended")
    else:
        _show(keys, now)


async def revoke(settings: Settings, id_: str, reason: str, actor: str | None) -> None:
    """Ends a key at once."""
    id_ = id_.strip().removeprefix(key_text.PREFIX)[:12]
    recording = _recording("key revoked", reason, actor)
    key = await _done(settings, lambda c: revoke_key(c, id_, None, settings.tenants, recording))
    console().print(f"key {key.id} is revoked: {key.role}, {printable(key.label)}", markup=False)


def _recording(deed: Deed, reason: str, actor: str | None) -> Recording:
    if not reason.strip():
        stop("--reason is empty: an auditor will read it")
    who = actor or os_user()
    return lambda tenant: order(deed, who, reason.strip(), tenant=tenant)


async def _done(settings: Settings, deed: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        async with visit(settings.store) as connection:
            return await deed(connection)
    except (OutOfReach, NoSuchKey) as wrong:
        stop(f"{wrong}")


def _shown(key: Key) -> dict[str, object]:
    kept = {name: value for name, value in asdict(key).items() if name != "hash"}
    return {"state": key.standing(datetime.now(UTC)), **kept}


def _show(keys: list[Key], now: datetime) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("key", "role", "tenant", "for", "made", "used", "state"):
        table.add_column(name, overflow="fold")
    for key in keys:
        state = key.standing(now)
        words = state
        if state == "good":
            words = f"expires in {duration((key.expires_at - now).total_seconds())}"
        table.add_row(
            key.id,
            key.role,
            Text("all", "dim") if key.tenant is None else Text(key.tenant),
            Text(printable(key.label)),
            Text(f"{key.made_at:%Y-%m-%d} {printable(key.made_by)}"),
            Text(ago(key.last_used_at, now) if key.last_used_at else "never"),
            Text(words, _STYLES[state]),
        )
    console().print(table)
