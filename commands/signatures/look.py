"""The commands that look, and change nothing."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from commands.mistakes import refuse
from commands.signatures.options import AsJson, Tenant, known_tenant, load, moment
from commands.times import parse_time
from settings.lacking import lacking

_LOOK = "Look"

app = typer.Typer()
config = typer.Typer(
    no_args_is_help=True, help="The configuration, hookledger.toml or what HOOKLEDGER_CONFIG names: check."
)


@app.command(rich_help_panel=_LOOK)
def doctor(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Looks at everything: what is configured, what answers, what came, what to press next in the platform.

    Exit codes: 0 nothing is wrong, 1 something is, 2 the configuration cannot be read.
    """
    from commands.doctor.command import run

    settings = load()
    run(settings, known_tenant(settings, tenant), as_object=as_json)


@app.command(rich_help_panel=_LOOK)
def spool(
    check: Annotated[bool, typer.Option("--check", help="Read every record.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows what this host's apis answered while the store was away and could not record yet.

    Exit codes: 0 nothing is wrong, 1 something cannot be read or recorded, 2 there is no spool here.
    """
    from commands.spool import show

    show(load(), check=check, as_object=as_json)


@app.command(rich_help_panel=_LOOK)
def activities(as_json: AsJson = False) -> None:
    """Lists the activities: on which hooks they are planned, with which options, from which file."""
    from commands.planned import run

    run(lines=as_json)


@app.command("try", rich_help_panel=_LOOK)
def try_(
    hook: Annotated[str, typer.Argument(help="As the platform spells it: validateUser.")],
    body: Annotated[str, typer.Argument(help='File with {"request": …}, a request or a user; - is stdin.')],
    tenant: Annotated[str | None, typer.Option(help="Whose rules; needed if there are several.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A file of rules in place of the tenant's own.", exists=True)
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="File with the user as known before; else as the store knows them.")
    ] = None,
    as_on: Annotated[bool, typer.Option("--on", help="As if every rule in shadow were on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows how a hook would be answered and what each rule says; nothing is stored.

    Exit codes: 0 it would pass, 1 it would be refused, 2 a mistake in rules or body.
    """
    from commands.trying import Asked, run

    asked = Asked(hook, body, tenant, rules, before, as_on)
    try:
        asyncio.run(run(load(), asked, as_object=as_json))
    except configuration.ConfigError as wrong:
        refuse(wrong)


@app.command(rich_help_panel=_LOOK)
def failures(
    tenant: Tenant = None,
    since: Annotated[str, typer.Option(help="From when on: 7d, 2h, 2026-11-25.")] = "30d",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists work that failed, was refused or is held, why, and the command that runs it again."""
    from commands.failures import run

    asyncio.run(run(load(), tenant, moment(since, "--since") or parse_time("30d"), limit, lines=as_json))


@app.command(rich_help_panel=_LOOK)
def gaps(
    tenant: Tenant = None,
    since: Annotated[
        str | None, typer.Option(help="Only intentions from then on: 7d, 2h, 2026-11-25.")
    ] = None,
    hook: Annotated[str | None, typer.Option(help="Only this intention: preProvision.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that are over, and how they ended.")
    ] = False,
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists intentions that no fact followed in their window: who, since when, what is missing, what to do."""
    from commands.gaps import run

    span = moment(since, "--since")
    asyncio.run(run(load(), tenant, span, hook, limit, closed=all_, lines=as_json))


@app.command(rich_help_panel=_LOOK)
def degraded(
    tenant: Tenant = None,
    since: Annotated[str, typer.Option(help="Recorded from when on: 7d, 2h, 2026-11-25.")] = "7d",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 1000,
    as_json: AsJson = False,
) -> None:
    """Lists who was let through, turned away or answered without the store, what the check said afterwards, what to do.

    Exit codes: 0 nothing is left to do, 1 something is, 2 it cannot be looked up.
    """
    from commands.degraded import run

    settings = load()
    first = moment(since, "--since") or parse_time("7d")
    asyncio.run(run(settings, known_tenant(settings, tenant), first, limit, lines=as_json))


@app.command(rich_help_panel=_LOOK)
def why(
    receipt: Annotated[str, typer.Argument(help="Receipt id, from rules report or ledger search.")],
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Explains a stored decision: which rule, in which words, against whom, for how long it holds."""
    from commands.why import run

    settings = load()
    asyncio.run(run(settings, receipt, known_tenant(settings, tenant), as_object=as_json))


@config.command()
def check() -> None:
    """Reads the configuration and names every mistake with its line; starts nothing. Exit code 2 for mistakes.

    What one process needs and cannot be read here is a warning: that process may be given it.
    """
    settings = load()
    for lack in lacking(settings):
        typer.secho(
            f"{configuration.wrong_in([lack.mistake])} (only {lack.process} needs it)", err=True, fg="yellow"
        )
    typer.echo(f"ok: tenants {', '.join(settings.tenants)}")
