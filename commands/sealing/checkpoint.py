"""`ledger checkpoint` and `ledger seal`: the newest signed checkpoint, the keys that verify it, and sealing by hand."""

import asyncio
from dataclasses import asdict

import typer

from commands.ending import stop
from commands.output import as_json, console
from commands.sealing.keys import keys_of
from ledger.note import line_of
from ledger.published import newest_note
from ledger.visit import OutOfReach, look
from runtime.sealer import Sealer
from settings import Settings


def show_keys(settings: Settings) -> None:
    """Prints the verifier keys, one a line (c2sp.org/signed-note); after a restore also under the new line's name."""
    keys = keys_of(settings)
    for key in keys:
        typer.echo(str(key))
    try:
        origin = (asyncio.run(_newest(settings)) or "").partition("\n")[0]
    except OutOfReach:
        return
    for key in keys:
        if origin != key.name and line_of(origin) == key.name:
            typer.echo(str(key.named(origin)))


def show_newest(settings: Settings) -> None:
    """Prints the note, byte for byte."""
    try:
        note = asyncio.run(_newest(settings))
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if note is None:
        stop("nothing is sealed yet: is a worker running, with a key in [ledger.seal]?")
    typer.echo(note, nl=False)


async def _newest(settings: Settings) -> str | None:
    async with look(settings.store) as pool:
        return await newest_note(pool)


def seal_now(settings: Settings, *, as_object: bool) -> None:
    """One round, as the workflow runs it. Raises typer.Exit: 1 nothing can be sealed."""
    try:
        sealed = asyncio.run(Sealer(settings).seal())
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if as_object:
        print(as_json(asdict(sealed)))
    elif sealed.trouble:
        typer.secho(f"nothing was sealed: {sealed.trouble}", err=True, fg="red")
    else:
        console().print(f"{sealed.sealed:,} entries sealed, {sealed.size:,} in all; {sealed.waiting:,} wait")
    raise typer.Exit(1 if sealed.trouble else 0)
