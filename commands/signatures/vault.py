"""The command `vault`, which looks, and its deeds, which leave an entry with who and why."""

import asyncio
from typing import Annotated

import typer

from commands.ending import stop
from commands.signatures.options import Actor, AsJson, Reason, load, moment

vault = typer.Typer(
    invoke_without_command=True, help="The keys under which passwords wait for the activity that needs them."
)


@vault.callback()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Shows the keys of this host's vault, and how many passwords wait under each.

    Exit codes: 0 fine, 1 passwords wait whose key is gone, 2 there is no vault here.
    """
    if context.invoked_subcommand is not None:
        return
    from commands.vault import show

    asyncio.run(show(load(), as_object=as_json))


@vault.command()
def destroy(
    before: Annotated[
        str, typer.Option(help="Keys whose hour began before: 0s (all), 2h, 2026-11-26T10:00 (UTC).")
    ],
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this they are only counted.")] = False,
    actor: Actor = None,
) -> None:
    """Destroys keys at once, after a leak: what waits under them ends as secret_gone. Nobody can undo it."""
    from commands.vault import destroy as run

    at = moment(before, "--before")
    if at is None:
        stop("--before is empty")
    asyncio.run(run(load(), at, reason, actor, yes=yes))


@vault.command()
def rotate(reason: Reason, actor: Actor = None) -> None:
    """Makes another key for this hour, under which passwords are sealed from now on."""
    from commands.vault import rotate as run

    asyncio.run(run(load(), reason, actor))
