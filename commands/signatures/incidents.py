"""The commands `incidents`: causes that fail for many people."""

import asyncio
from typing import Annotated

import typer

from commands.signatures.options import Actor, AsJson, Reason, Tenant, known_tenant, load

incidents = typer.Typer(
    no_args_is_help=True, help="One cause that fails for many people: list, show, redrive."
)
_Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, from ./hookledger incidents list.")]


@incidents.command("list")
def incidents_list(
    tenant: Tenant = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists what is open: the activity, the cause, since when, how many people wait. --json: one a line."""
    from commands.incidents import listing

    settings = load()
    asyncio.run(listing(settings, known_tenant(settings, tenant), closed=closed, lines=as_json))


@incidents.command("show")
def incidents_show(id_: _Id, as_json: AsJson = False) -> None:
    """Shows one, open or over, and what can be done about it."""
    from commands.incidents import show

    asyncio.run(show(load(), id_, as_object=as_json))


@incidents.command("redrive")
def incidents_redrive(
    id_: _Id,
    reason: Reason,
    rate: Annotated[str, typer.Option(help="How many are run in a second: 20/s.")] = "20/s",
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Runs again, at a limited rate, what gave up for its cause; one that is still open is closed first."""
    from commands.incidents import redrive
    from commands.many import Doing

    asyncio.run(redrive(Doing(load(), reason, actor, as_json), id_, rate))
