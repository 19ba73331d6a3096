"""`vault status`, `rotate`, `destroy`: the keys of sealed passwords; each deed is an entry."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import typer
from rich.table import Table

from commands.ending import stop
from commands.keys import recording_of
from commands.output import as_json, console
from commands.times import ago
from ledger.operate import record
from ledger.vault import Sealed, sealed
from ledger.visit import OutOfReach, visit
from runtime.epochs import Epoch, Epochs, EpochsAway
from runtime.vault import open_vault
from settings import Settings


def status(settings: Settings, *, as_object: bool) -> None:
    """Prints the keys on disk, what waits sealed in the store, and when the next key is destroyed."""
    epochs = _epochs(settings)
    try:
        waiting = asyncio.run(_sealed(settings))
    except OutOfReach as wrong:
        stop(f"{wrong}")
    found = epochs.all()
    if as_object:
        keys = [{"begins": _time(e.begins), "destroyed_at": _time(e.destroyed_at)} for e in found]
        print(as_json({"keys": keys, "sealed": waiting.count, "oldest": waiting.oldest}))
        return
    table = Table(show_header=False, title=f"Vault in {settings.vault.folder}", title_justify="left")
    table.add_row("keys on disk", f"{len(found)}")
    now = datetime.now(UTC)
    oldest = f", the oldest {ago(waiting.oldest, now)}" if waiting.oldest else ""
    table.add_row("sealed secrets in the store", f"{waiting.count:,}{oldest}")
    if found:
        table.add_row("next key is destroyed", f"{_time(found[0].destroyed_at):%Y-%m-%d %H:%M} UTC")
    console().print(table)


def rotate(settings: Settings, reason: str, actor: str | None) -> None:
    """A new key within the hour."""
    epochs = _epochs(settings)
    try:
        epochs.rotate()
    except EpochsAway as wrong:
        stop(f"no key was made: {wrong}")
    _record(settings, "vault key made", reason, actor, 1)
    console().print("a new key is made; every process seals under it within 10 s")


def destroy(settings: Settings, before: datetime, reason: str, actor: str | None, *, yes: bool) -> None:
    """Destroys keys before their time: what they sealed is lost, and its activities end as secret_gone."""
    epochs = _epochs(settings)
    gone = [epoch for epoch in epochs.all() if epoch.begins < before.timestamp()]
    if not gone:
        console().print("no key is older than that")
        return
    if not yes:
        console().print(
            f"{_named(gone)} would be destroyed: what they sealed could be opened by nobody. Give --yes."
        )
        raise typer.Exit(1)
    # The entry first: a key that is gone without one would be a deed of nobody.
    _record(settings, "vault keys destroyed", reason, actor, len(gone))
    epochs.destroy(gone)
    console().print(f"{_named(gone)} destroyed; restart apis and workers, which may know them from memory")


def _named(epochs: Sequence[Epoch]) -> str:
    return f"{len(epochs)} keys" if len(epochs) != 1 else "1 key"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _epochs(settings: Settings) -> Epochs:
    epochs = open_vault(settings).epochs
    if epochs is None:
        stop("no keys are kept: give [vault] a folder outside Postgres and its backups (docs/vault.md)")
    return epochs


async def _sealed(settings: Settings) -> Sealed:
    async with visit(settings.store) as connection:
        return await sealed(connection)


def _record(settings: Settings, deed: str, reason: str, actor: str | None, keys: int) -> None:
    recording = recording_of(deed, reason, actor)  # pyright: ignore[reportArgumentType]

    async def enter() -> None:
        async with visit(settings.store) as connection:
            for tenant in settings.tenants:
                await record(connection, recording(tenant), keys=keys)

    try:
        asyncio.run(enter())
    except OutOfReach as wrong:
        stop(f"it cannot be recorded, so it is not done: {wrong}")
