"""The command `./hookledger`: each command imports what it needs when it is called."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from commands.ending import stop
from commands.mistakes import refuse
from commands.sealing.typed import add_sealing
from commands.times import parse_time

_RUN, _LOOK, _ACT, _DEVELOP = "Run it", "Look", "Act", "Develop"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Receives the webhooks of the Cymmetri Identity Platform; keeps the ledger.",
)
ledger = typer.Typer(no_args_is_help=True, help="Asks the ledger, proves it: search, verify, prove.")
new = typer.Typer(no_args_is_help=True, help="Writes the files of a new activity.")
brake = typer.Typer(no_args_is_help=True, help="The brake, which stops too many removals of access: release.")
config = typer.Typer(
    no_args_is_help=True, help="The configuration, hookledger.toml or what HOOKLEDGER_CONFIG names: check."
)
rules = typer.Typer(no_args_is_help=True, help="The rules that tenants write: list, report, test.")
app.add_typer(rules, name="rules", rich_help_panel=_LOOK)
app.add_typer(ledger, name="ledger", rich_help_panel=_LOOK)
app.add_typer(new, name="new", rich_help_panel=_DEVELOP)
app.add_typer(brake, name="brake", rich_help_panel=_ACT)
app.add_typer(config, name="config", rich_help_panel=_LOOK)

AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of text.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant, by its name in hookledger.toml.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the ledger for auditors.")]
Actor = Annotated[str | None, typer.Option(help="Who does this; os:YOU if left out.", show_default=False)]
Delivery = Annotated[str, typer.Argument(help="Receipt id of the delivery, from failures or ledger search.")]
Activity = Annotated[str | None, typer.Option(help="Only this activity of the delivery.")]
User = Annotated[str, typer.Argument(help="Login, platform id, or pseudonym from the ledger.")]


def load() -> configuration.Settings:
    """The configuration, or its mistakes on standard error and exit code 2."""
    from runtime.configuration import load_checked

    try:
        return load_checked()
    except configuration.ConfigError as wrong:
        refuse(wrong)


def known_tenant(settings: configuration.Settings, tenant: str | None) -> str | None:
    """The tenant of an option, which must be configured."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    return tenant


def moment(text: str | None, option: str) -> datetime | None:
    """What an option for a time says."""
    try:
        return parse_time(text) if text else None
    except ValueError as wrong:
        stop(f"{option}: {wrong}")


@app.command(rich_help_panel=_RUN)
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file, for https.", exists=True)] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key, in PEM.", exists=True)] = None,
) -> None:
    """Runs the webhook listener. Options go before hookledger.toml."""
    from api.serve import serve
    from runtime.logs import start_logging

    if (certificate is None) is not (key is None):
        stop("--certificate and --key: give both, or neither")
    settings = load()
    if certificate and key:
        tls = configuration.Tls(certificate=certificate, key=key)
        settings = settings.model_copy(update={"api": settings.api.model_copy(update={"tls": tls})})
    start_logging()
    serve(settings, host, port)


@app.command(rich_help_panel=_RUN)
def worker() -> None:
    """Runs lifecycles and activities."""
    from runtime.logs import start_logging
    from runtime.shutdown import leave
    from runtime.worker import run_worker

    start_logging()
    asyncio.run(run_worker(load()))
    leave(0)


@app.command(rich_help_panel=_RUN)
def migrate() -> None:
    """Brings the store to this release's schema."""
    from ledger.migrate import MigrationError, migrate_to_head

    try:
        changed = migrate_to_head(load().store)
    except MigrationError as wrong:
        stop(str(wrong))
    typer.echo("the store is at its newest schema" + ("" if changed else " already"))


@app.command(rich_help_panel=_LOOK)
def doctor(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Looks at everything: what is configured, what answers, what came, what to press next in the platform.

    Exit codes: 0 nothing is wrong, 1 something is, 2 the configuration cannot be read.
    """
    from commands.doctor.command import run

    settings = load()
    run(settings, known_tenant(settings, tenant), as_object=as_json)


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


@ledger.command()
def search(
    user: Annotated[
        str | None, typer.Option(help="Any login they ever had, platform id, or pseudonym.")
    ] = None,
    hook: Annotated[str | None, typer.Option(help="As the platform spells it: postCreateUser.")] = None,
    activity: Annotated[str | None, typer.Option(help="An activity's name.")] = None,
    application: Annotated[str | None, typer.Option(help="The platform's id of an application.")] = None,
    outcome: Annotated[str | None, typer.Option(help="received, done, failed, refused, duplicate, …")] = None,
    since: Annotated[str | None, typer.Option(help="7d, 2h, 2026-11-25, 2026-11-25T10:00 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="The same forms; the moment itself is left out.")] = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(help="At most so many entries, the newest.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Finds entries, oldest first: who, what, for whom, when, how it went. --json: one entry a line."""
    from commands.search import question, run

    span = moment(since, "--since"), moment(until, "--until")
    asked = question(user, hook, activity, application, outcome, span, tenant, limit)
    asyncio.run(run(load(), asked, lines=as_json))


add_sealing(ledger, load)


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


@rules.command("list")
def rules_list(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Lists the rules: mode, hooks, condition, and the line on which each stands. Needs no secrets."""
    from commands.rules.listing import run

    try:
        run(tenant, lines=as_json)
    except configuration.ConfigError as wrong:
        refuse(wrong)


@rules.command("report")
def rules_report(
    since: Annotated[str, typer.Option(help="From when on: 7d, 2h, 2026-11-25.")] = "7d",
    tenant: Tenant = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule, or this unique attribute.")] = None,
    as_json: AsJson = False,
) -> None:
    """Whom the rules in shadow would have refused or changed, and why; and rules that went wrong."""
    from commands.rules.report import run

    start = moment(since, "--since") or parse_time("7d")
    asyncio.run(run(load(), tenant, rule, start, lines=as_json))


@rules.command("table")
def rules_table(
    name: Annotated[
        str, typer.Argument(help="The table, as [tenants.NAME.rules.tables] calls it; store = true.")
    ],
    file: Annotated[Path, typer.Argument(help="CSV with a line of headings.", exists=True)],
    tenant: Annotated[str, typer.Option(help="Its name in hookledger.toml.")],
    key: Annotated[str, typer.Option(help="Heading of the keys.")] = "key",
    value: Annotated[str, typer.Option(help="Heading of the values.")] = "value",
) -> None:
    """Makes a table for lookup() in the store the rows of a file, and no others; in every api within seconds."""
    from commands.tables import run

    asyncio.run(run(load(), tenant, name, file, key, value))


@rules.command("test")
def rules_test(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or directories of examples; else rules/examples.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Runs tables of examples against rules, without store and secrets. --json: one example a line.

    Exit codes: 0 all passed, 1 one failed, 2 a mistake in rules or examples.
    """
    from commands.rules.testing import run

    try:
        run(paths or [], lines=as_json)
    except configuration.ConfigError as wrong:
        refuse(wrong)


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


@config.command()
def check() -> None:
    """Reads the configuration and names every mistake with its line; starts nothing. Exit code 2 for mistakes."""
    settings = load()
    typer.echo(f"ok: tenants {', '.join(settings.tenants)}")


@app.command(rich_help_panel=_DEVELOP)
def token(
    tenant: Annotated[str | None, typer.Option(help="Tenant as configured; the first if left out.")] = None,
    life: Annotated[int, typer.Option(help="Seconds until it expires.")] = 3600,
) -> None:
    """Mints a token for development, signed as the platform would."""
    from api.auth import mint

    settings = load()
    name = tenant or next(iter(settings.tenants))
    if name not in settings.tenants:
        stop(f"no tenant {name}; configured are {', '.join(settings.tenants)}")
    try:
        typer.echo(mint(name, settings, life=life))
    except configuration.ConfigError as wrong:
        stop(str(wrong))


@new.command("activity")
def new_activity(
    name: Annotated[str, typer.Argument(help="a-z, 0-9 and _. Permanent: it stands in the ledger.")],
    on: Annotated[
        list[str], typer.Option(help="Hook that causes it, such as postProvision; may be repeated.")
    ],
    directory: Annotated[Path, typer.Option("--dir", help="Where, from the project's root.")] = Path(
        "activities"
    ),
) -> None:
    """Writes an activity and its test."""
    from commands.new_activity import run

    run(name, on, directory)


@app.command(rich_help_panel=_DEVELOP)
def dev(
    port: Annotated[int, typer.Option(help="Port of the webhooks.")] = 8080,
    ui_port: Annotated[int, typer.Option(help="Port of the Temporal UI.")] = 8233,
    temporal_port: Annotated[int, typer.Option(help="Port of Temporal.")] = 7233,
    tls: Annotated[
        bool, typer.Option("--tls", help="Listen for https, with a certificate made for it.")
    ] = False,
    json_logs: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Runs everything on this machine until Ctrl-C: Postgres, Temporal with its UI, api and worker."""
    from dev.stack import Options, run

    options = Options(port=port, ui_port=ui_port, temporal_port=temporal_port, tls=tls, json_logs=json_logs)
    raise typer.Exit(run(options))


@app.command(
    rich_help_panel=_DEVELOP,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulate(context: typer.Context) -> None:
    """Plays the platform against a receiver: joiners, movers, leavers; checks every answer."""
    from dev.simulate.command import simulate as play

    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(play)
    alone(args=context.args, prog_name="./hookledger simulate")


if __name__ == "__main__":
    app(prog_name="./hookledger")
