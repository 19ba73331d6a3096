"""The commands `switch`: what is held, dropped or rehearsed."""

import asyncio
from typing import Annotated

import typer

from commands.signatures.options import Actor, AsJson, Reason, known_tenant, load

switch = typer.Typer(
    no_args_is_help=True, help="Holds, drops or rehearses activities: list, off, shadow, on."
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="An activity's name; all: every activity.")]
_Where = Annotated[str | None, typer.Option("--tenant", help="Only in this tenant; in all if left out.")]
_For = Annotated[
    str | None, typer.Option("--for", help="How long: 30m, 2h, 7d; until switched on if left out.")
]


@switch.command("list")
def switch_list(as_json: AsJson = False) -> None:
    """Lists the switches that count now, and the open work that they are about. --json: one a line."""
    from commands.switches import listing

    asyncio.run(listing(load(), lines=as_json))


@switch.command("off")
def switch_off(
    name: _Name,
    reason: Reason,
    tenant: _Where = None,
    lasts: _For = None,
    drop: Annotated[
        bool,
        typer.Option("--drop", help="Settle the work as skipped instead of holding it; it is not run later."),
    ] = False,
    actor: Actor = None,
) -> None:
    """Holds an activity's work: nothing is lost, no attempt is made, the time to give up stands still."""
    from commands.switches import put

    settings = load()
    where = known_tenant(settings, tenant)
    asyncio.run(put(settings, "drop" if drop else "off", name, where, lasts, reason, actor))


@switch.command("shadow")
def switch_shadow(
    name: _Name, reason: Reason, tenant: _Where = None, lasts: _For = None, actor: Actor = None
) -> None:
    """Records an activity's work as "shadow", would have run, without running it."""
    from commands.switches import put

    settings = load()
    asyncio.run(put(settings, "shadow", name, known_tenant(settings, tenant), lasts, reason, actor))


@switch.command("on")
def switch_on(
    name: _Name,
    reason: Reason,
    tenant: _Where = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=1000, help="How many people's held work is let go in a second.")
    ] = 20.0,
    actor: Actor = None,
) -> None:
    """Ends a switch and lets go what it held, at a limited rate and in each person's order."""
    from commands.switches import end

    settings = load()
    asyncio.run(end(settings, name, known_tenant(settings, tenant), rate, reason, actor))
