"""`vault`: the keys under which passwords wait, how many wait under each, and an operator's deeds on them."""

import stat
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import typer
from rich.table import Table
from rich.text import Text

from activities._activity import SEALED_FOR
from commands.ending import stop
from commands.output import as_json, console
from commands.times import ago, duration
from ledger.operate import Deed, record
from ledger.vault import Kept, count_kept
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from runtime.os_user import os_user
from runtime.vault import Epoch, Folder, epoch_of, open_folder
from settings import Settings

OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key. `secrets` wait under it, None: the store is out of reach. `there` is False for a key that is gone."""

    key: str
    there: bool
    opens: bool
    begins: datetime | None
    destroyed_at: datetime | None
    secrets: int | None


async def show(settings: Settings, *, as_object: bool) -> None:
    """Prints keys and what waits. Exit codes: 0 fine, 1 something waits whose key is gone, 2 there is no vault here."""
    folder = _folder(settings)
    now = datetime.now(UTC)
    trouble, kept = "", list[Kept]()
    try:
        async with visit(settings.store) as connection:
            kept = await count_kept(connection)
    except OutOfReach as wrong:
        trouble = str(wrong)
    try:
        lines = list(_lines(folder, kept, counted=not trouble))
        destroyed = folder.destroyed()
    except OSError as wrong:
        stop(f"{folder.path} cannot be read ({wrong.strerror}): run this as the user of the api")
    if as_object:
        told = {"folder": str(folder.path), "keys": [asdict(line) for line in lines]}
        more = {"destroyed": len(destroyed), "last_destroyed": asdict(destroyed[-1]) if destroyed else None}
        print(as_json(told | more | {"store": trouble or "ok"}))
    else:
        _print(folder, lines, now)
        if destroyed:
            console().print(
                f"{len(destroyed):,} keys destroyed, the last at {destroyed[-1].at}", markup=False
            )
        if trouble:
            console().print(f"what waits is not known: {trouble}", style="yellow", markup=False)
    if any(line.secrets and not line.opens for line in lines):
        raise typer.Exit(1)


async def destroy(settings: Settings, before: datetime, reason: str, actor: str | None, *, yes: bool) -> None:
    """Destroys each key whose hour began before that moment. What waits under it ends as `secret_gone`."""
    folder, who = _folder(settings), _actor(reason, actor)
    chosen = [epoch for epoch in folder.epochs() if epoch.begins < before]
    if not chosen:
        stop("no key is that old: ./hookledger vault lists them")
    if not yes:
        console().print(f"{len(chosen)} keys would be destroyed; with --yes they are. Nobody can undo it.")
        return
    gone, left = list[Epoch](), list[str]()
    for epoch in chosen:
        try:
            if folder.destroy(epoch, reason.strip(), who):
                gone.append(epoch)
        except OSError as wrong:
            left.append(f"{epoch.name}: {wrong.strerror}")
    console().print(f"{len(gone)} keys destroyed; apis seal under another one within 5 s")
    if left:
        told = f"{len(left)} keys are left: run this as the user of the api, or mend the disk ({'; '.join(left)})"
        console().print(told, style="red", markup=False)
    if gone:
        await _record(settings, "vault keys destroyed", reason, who, gone)
    if left:
        raise typer.Exit(2)


async def rotate(settings: Settings, reason: str, actor: str | None) -> None:
    """A new key for this hour; the one before opens what it sealed."""
    folder, who = _folder(settings), _actor(reason, actor)
    try:
        epoch = folder.rotate(int(time.time()) // 3600)
    except OSError as wrong:
        stop(f"{folder.path}: {wrong.strerror}; run this as the user of the api")
    console().print(f"key {epoch.name} seals from now on, in every api within 5 s")
    await _record(settings, "vault key rotated", reason, who, [epoch])


async def _record(settings: Settings, deed: Deed, reason: str, who: str, epochs: Iterable[Epoch]) -> None:
    """An entry in each tenant: passwords of all of them are under one key. The deed itself does not wait for the store."""
    names = [epoch.name for epoch in epochs]
    try:
        async with visit(settings.store) as connection:
            for tenant in settings.tenants:
                await record(connection, order(deed, who, reason.strip(), tenant=tenant), keys=names)
    except OutOfReach as wrong:
        stop(f"it is done, and not recorded: {wrong}; destroyed.jsonl in the folder has what was destroyed")


def _actor(reason: str, actor: str | None) -> str:
    if not reason.strip():
        stop("--reason is empty: an auditor will read it")
    return actor or os_user()


def _folder(settings: Settings) -> Folder:
    folder = open_folder(settings)
    if folder is None:
        stop("no vault is configured: give [vault] a folder (docs/vault.md)")
    if not folder.path.is_dir():
        stop(f"{folder.path} is not there: no api has used it on this host, or this user may not see it")
    return folder


def _lines(folder: Folder, kept: Iterable[Kept], *, counted: bool) -> Iterable[KeyLine]:
    waiting: dict[Epoch | None, int] = {}
    for group in kept:
        epoch = epoch_of(group.head)
        waiting[epoch] = waiting.get(epoch, 0) + group.secrets
    earlier = waiting.pop(None, 0)
    there = folder.epochs()
    for epoch in sorted({*there, *(e for e in waiting if e is not None)}):
        opens = folder.read(epoch) is not None
        secrets = waiting.get(epoch, 0) if counted else None
        yield KeyLine(epoch.name, epoch in there, opens, epoch.begins, epoch.due(SEALED_FOR), secrets)
    if earlier:
        yield KeyLine(
            "of an earlier release", there=True, opens=True, begins=None, destroyed_at=None, secrets=earlier
        )


def _print(folder: Folder, lines: list[KeyLine], now: datetime) -> None:
    table = Table(
        box=None, pad_edge=False, header_style="bold", title=f"Vault in {folder.path}", title_justify="left"
    )
    for name in ("key", "began", "destroyed in", "wait", "state"):
        table.add_column(name, justify="right" if name == "wait" else "left")
    for line in lines:
        left = (line.destroyed_at - now).total_seconds() if line.destroyed_at else 0
        state = (
            Text("good", "green") if line.opens else Text("does not open" if line.there else "gone", "red")
        )
        table.add_row(
            line.key,
            ago(line.begins, now) if line.begins else "-",
            "-" if line.destroyed_at is None else duration(left) if left > 0 else Text("overdue", "red"),
            "?" if line.secrets is None else f"{line.secrets:,}",
            state,
        )
    console().print(table if lines else f"no key in {folder.path}")
