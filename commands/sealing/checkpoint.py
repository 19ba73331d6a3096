"""`ledger checkpoint` and `ledger seal`: the newest signed checkpoint, the keys that verify it, and sealing by hand."""

import asyncio
from dataclasses import asdict

import typer

from commands.ending import stop
from commands.output import as_json, console
from commands.sealing.keys import keys_of
from ledger.published import newest_note
from ledger.visit import OutOfReach, look
from runtime.sealer import Sealer
from settings import Settings


def show_keys(settings: Settings) -> None:
    """Prints the verifier keys, one a line (c2sp.org/signed-note)."""
    for key in keys_of(settings):
        typer.echo(str(key))


def show_newest(settings: Settings) -> None:
    """Prints the note, byte for byte."""

    async def newest() -> str | None:
        async with look(settings.store) as pool:
            return await newest_note(pool)

    try:
        note = asyncio.run(newest())
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if note is None:
        stop("nothing is sealed yet: is a worker running, with a key in [ledger.seal]?")
    typer.echo(note, nl=False)


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
