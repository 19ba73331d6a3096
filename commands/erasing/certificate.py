"""`ledger certificate`: shows the certificate of an erasure, checks who signed it, and whether it is of a name."""

import asyncio
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from ledger.certificate import Read, hash_of, open_certificate
from ledger.erasures import kept_certificate
from ledger.note import NoteError, verifiers_of
from ledger.visit import OutOfReach, visit
from rules.normal import login
from settings import Settings


def run(
    settings: Settings, id_: str, name: str | None, code: str | None, *, raw: bool, as_object: bool
) -> None:
    """Prints it. Raises typer.Exit: 1 it is forged, or of another name; 2 there is none."""
    if (name is None) is not (code is None):
        stop("--name and --code: give both, the login or platform id and the code shown at the erasure")
    try:
        wanted = UUID(id_)
    except ValueError:
        stop(f"{printable(id_)} is no id of a certificate: it looks like 0190a1b2-…")

    async def kept() -> str | None:
        async with visit(settings.store) as connection:
            return await kept_certificate(connection, wanted)

    try:
        note = asyncio.run(kept())
    except OutOfReach as wrong:
        stop(str(wrong))
    if note is None:
        stop("there is no certificate with that id")
    if raw:
        typer.echo(note, nl=False)
        return
    try:
        read = open_certificate(note, verifiers_of(settings.ledger.seal))
    except NoteError as wrong:
        typer.secho(f"the certificate is not to be believed: {wrong}", err=True, fg="red")
        raise typer.Exit(1) from None
    fits = None if name is None or code is None else fits_name(read, name, code)
    if as_object:
        print(as_json({"lines": list(read.lines), "name_fits": fits, "note": note}))
    else:
        _show(read, fits)
    raise typer.Exit(1 if fits is False else 0)


def fits_name(read: Read, name: str, code: str) -> bool:
    """Whether the certificate is of whoever had that login or platform id."""
    return any(hash_of(code, form) in read.names for form in {name, login(name)})


def _show(read: Read, fits: bool | None) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in read.lines:
        if not value.startswith("0 "):
            table.add_row(name, Text(printable(value)))
    out = console()
    out.print(table)
    out.print("[green]signed by a key of this ledger")
    if fits is not None:
        out.print(
            "[green]it is of whoever had that name"
            if fits
            else "[red]it is not of that name, or the code is another"
        )
