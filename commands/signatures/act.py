"""The commands that change something; each leaves an entry with who and why."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from commands.ending import stop
from commands.signatures.options import (
    Activity,
    Actor,
    AsJson,
    Delivery,
    Reason,
    Request,
    Tenant,
    User,
    known_tenant,
    load,
    moment,
)

_ACT = "Act"

app = typer.Typer()
key = typer.Typer(no_args_is_help=True, help="Keys of those who ask the ledger over HTTP: new, list, revoke.")
brake = typer.Typer(no_args_is_help=True, help="The brake, which stops too many removals of access: release.")


@app.command("import", rich_help_panel=_ACT)
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or JSON lines: one whole user each.")],
    tenant: Annotated[str | None, typer.Option(help="Its name; needed if several are configured.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML: which column is which attribute of a user (CSV only).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report; nothing is written.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin at the first line, not where a stopped import ended.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: each finding a line, the report as the last.")
    ] = False,
    actor: Actor = None,
) -> None:
    """Makes people known from a file, as if the platform had told of them; plans no work.

    Stopped or killed, the same command goes on behind what is committed. A second run changes nothing.
    Exit codes: 0 all is written, 1 rows were left out or values clash, 2 not finished, 130 stopped.
    """
    from commands.importing.command import Options, run

    options = Options(file, tenant, mapping, dry_run, anew, as_json, actor)
    run(load(), options)


@app.command(rich_help_panel=_ACT)
def redrive(
    delivery: Delivery,
    reason: Reason,
    activity: Activity = None,
    tenant: Tenant = None,
    actor: Actor = None,
) -> None:
    """Runs work of a delivery again that failed, was refused or is held; named, also what went well."""
    from commands.deeds import Deeds

    asyncio.run(Deeds(load(), reason, actor).on_work("redrive", delivery, activity, tenant))


@app.command("redrive-all", rich_help_panel=_ACT)
def redrive_all(
    tenant: Annotated[str | None, typer.Option(help="Its name; needed if several are configured.")] = None,
    activity: Annotated[str | None, typer.Option(help="Only of this activity.")] = None,
    hook: Annotated[str | None, typer.Option(help="Only of this hook: postCreateUser.")] = None,
    application: Annotated[
        str | None, typer.Option(help="Only of this application, by the platform's id.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only what is failed, refused, held or secret_gone; may be repeated. All if left out."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Ended since: 7d, 2h, 2026-11-25, 2026-11-25T10:00 (UTC).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="The same forms; the moment itself is left out.")] = None,
    rate: Annotated[
        str | None, typer.Option(help="How many are run in a second: 20/s. All at once if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only counted.")] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why; kept in the ledger for auditors. Needed with --yes.")
    ] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Runs all work again that a filter finds failed, refused or held. Counts it first; --yes does it.

    If the tenant wants four eyes for it, --yes asks, and another person approves. Exit codes: 0 done, asked for or
    counted, 2 it cannot be done.
    """
    from commands.many import Doing, per_second
    from commands.many import redrive_all as run
    from ledger.bulk import STATES, Selection, State

    settings = load()
    names = list(settings.tenants)
    if tenant is None and len(names) > 1:
        stop(f"--tenant is missing: configured are {', '.join(names)}")
    name = known_tenant(settings, tenant) or names[0]
    if set(state or ()) - set[str](STATES):
        stop(f"--state: must be one of {', '.join(STATES)}")
    span = moment(since, "--since"), moment(until, "--until")
    states: tuple[State, ...] = tuple(known for known in STATES if not state or known in state)
    speed = None if rate is None else per_second(rate)
    selection = Selection(name, states, activity, hook, application, *span, rate=speed)
    asyncio.run(run(Doing(settings, reason, actor, as_json), selection, yes=yes))


@app.command(rich_help_panel=_ACT)
def requests(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Lists deeds that wait for another person's approval. --json: one a line."""
    from commands.many import Doing, listing

    settings = load()
    asyncio.run(listing(Doing(settings, as_object=as_json), known_tenant(settings, tenant)))


@app.command(rich_help_panel=_ACT)
def approve(request: Request, reason: Reason, actor: Actor = None) -> None:
    """Does a deed that another person asked for: as much as they counted, never more."""
    from commands.many import Doing
    from commands.many import approve as run

    asyncio.run(run(Doing(load(), reason, actor), request))


@app.command(rich_help_panel=_ACT)
def reject(request: Request, reason: Reason, actor: Actor = None) -> None:
    """Ends a request without doing it; whoever asked may take it back so."""
    from commands.many import Doing
    from commands.many import reject as run

    asyncio.run(run(Doing(load(), reason, actor), request))


@app.command(rich_help_panel=_ACT)
def skip(
    delivery: Delivery,
    reason: Reason,
    activity: Activity = None,
    tenant: Tenant = None,
    actor: Actor = None,
) -> None:
    """Gives up open work of a delivery, so that what waits behind it goes on."""
    from commands.deeds import Deeds

    asyncio.run(Deeds(load(), reason, actor).on_work("skip", delivery, activity, tenant))


@app.command(rich_help_panel=_ACT)
def pause(user: User, reason: Reason, tenant: Tenant = None, actor: Actor = None) -> None:
    """Holds back everything of one person; hooks are still received and answered."""
    from commands.deeds import Deeds

    asyncio.run(Deeds(load(), reason, actor).on_person("pause", user, tenant))


@app.command(rich_help_panel=_ACT)
def resume(user: User, reason: Reason, tenant: Tenant = None, actor: Actor = None) -> None:
    """Lets a paused person's work go on."""
    from commands.deeds import Deeds

    asyncio.run(Deeds(load(), reason, actor).on_person("resume", user, tenant))


@brake.command()
def release(
    tenant: Annotated[str, typer.Option(help="Its name in hookledger.toml.")],
    reason: Reason,
    actor: Actor = None,
) -> None:
    """Lets runDeprovision be answered as configured again."""
    from commands.deeds import Deeds

    asyncio.run(Deeds(load(), reason, actor).release(tenant))


@key.command("new")
def key_new(
    role: Annotated[
        Literal["auditor", "operator", "admin"],
        typer.Option(help="auditor reads; operator also redrives, skips, releases; admin also makes keys."),
    ],
    label: Annotated[str, typer.Option(help="What it is for, such as a program's name; no person's.")],
    reason: Reason,
    tenant: Annotated[
        str | None, typer.Option(help="The only tenant that it sees, by its name in hookledger.toml.")
    ] = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="It sees every tenant.")] = False,
    expires: Annotated[str, typer.Option(help="How long it lives: 8h, 90d, at most 366d.")] = "90d",
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Makes a key and prints it, this once; only its hash is kept."""
    from commands.keys import new as make

    settings = load()
    if (tenant is None) is not all_tenants:
        stop("--tenant and --all-tenants: give one of them, so that nobody sees more than was meant")
    seen = known_tenant(settings, tenant)
    asyncio.run(make(settings, role, seen, expires, label, reason, actor, as_object=as_json))


@key.command("list")
def key_list(
    tenant: Tenant = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that expired or were revoked.")] = False,
    api: Annotated[
        bool,
        typer.Option("--api", help="Only keys of those who ask over HTTP: what they may, when last used."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lists every key: whose it is, where it comes from, how old it is, how to change it. --json: one key a line."""
    from commands.keys import listing

    settings = load()
    asyncio.run(listing(settings, known_tenant(settings, tenant), ended=all_, api=api, lines=as_json))


@key.command("revoke")
def key_revoke(
    id_: Annotated[str, typer.Argument(metavar="KEY", help="Its id from key list, or the key itself.")],
    reason: Reason,
    actor: Actor = None,
) -> None:
    """Ends a key at once."""
    from commands.keys import revoke

    asyncio.run(revoke(load(), id_, reason, actor))


@app.command(rich_help_panel=_ACT)
def reconcile(
    tenant: Tenant = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be recorded.")] = False,
    run_activities: Annotated[
        bool | None,
        typer.Option(
            "--run-activities/--no-run-activities",
            help="Run the missed facts' activities too; as platform.run_activities says if left out.",
            show_default=False,
        ),
    ] = None,
    removals: Annotated[
        int | None,
        typer.Option(
            help="Let up to so many removals through, whatever the brake says.", min=0, show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compares the platform's user list with what hooks told, and records what was missed.

    --json: one difference a line, ids only. Exit codes: 0 all is recorded, 1 something is left open (standard error
    says what), 2 it could not run.
    """
    from commands.reconcile import Asked, run

    asyncio.run(run(load(), tenant, Asked(dry_run, run_activities, removals, as_json)))
