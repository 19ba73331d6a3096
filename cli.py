"""The command `./hookledger`: its commands by panel; each imports what it needs when it is called."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from commands.ending import stop
from commands.signatures import act, look
from commands.signatures.builds import builds
from commands.signatures.incidents import incidents
from commands.signatures.ledger import ledger
from commands.signatures.options import load
from commands.signatures.rules import rules
from commands.signatures.switch import switch
from commands.signatures.vault import vault

_RUN, _LOOK, _ACT, _DEVELOP = "Run it", "Look", "Act", "Develop"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Receives the webhooks of the Cymmetri Identity Platform; keeps the ledger.",
)
develop = typer.Typer()
new = typer.Typer(no_args_is_help=True, help="Writes the files of a new activity.")
app.add_typer(look.app)
app.add_typer(rules, name="rules", rich_help_panel=_LOOK)
app.add_typer(ledger, name="ledger", rich_help_panel=_LOOK)
app.add_typer(look.config, name="config", rich_help_panel=_LOOK)
app.add_typer(act.app)
app.add_typer(act.key, name="key", rich_help_panel=_ACT)
app.add_typer(builds, name="builds", rich_help_panel=_ACT)
app.add_typer(vault, name="vault", rich_help_panel=_ACT)
app.add_typer(act.brake, name="brake", rich_help_panel=_ACT)
app.add_typer(switch, name="switch", rich_help_panel=_ACT)
app.add_typer(incidents, name="incidents", rich_help_panel=_ACT)
app.add_typer(develop)
app.add_typer(new, name="new", rich_help_panel=_DEVELOP)


Serve = Callable[[configuration.Settings, str | None, int | None], None]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Certificate = Annotated[Path | None, typer.Option(help="PEM file, for https.", exists=True)]
CertificateKey = Annotated[
    Path | None, typer.Option("--key", help="The certificate's key, in PEM.", exists=True)
]


def _tls(certificate: Path | None, key: Path | None) -> configuration.Tls | None:
    if (certificate is None) is not (key is None):
        stop("--certificate and --key: give both, or neither")
    return configuration.Tls(certificate=certificate, key=key) if certificate and key else None


def _listen(serve: Serve, settings: configuration.Settings, host: str | None, port: int | None) -> None:
    try:
        serve(settings, host, port)
    except configuration.ConfigError as wrong:
        stop(str(wrong))


@app.command(rich_help_panel=_RUN)
def api(
    host: Host = None, port: Port = None, certificate: Certificate = None, key: CertificateKey = None
) -> None:
    """Runs the webhook listener. Options go before hookledger.toml."""
    from api.serve import serve
    from runtime.closed import close_memory
    from runtime.logs import start_logging

    close_memory()
    settings = load()
    if tls := _tls(certificate, key):
        settings = settings.model_copy(update={"api": settings.api.model_copy(update={"tls": tls})})
    start_logging()
    _listen(serve, settings, host, port)


@app.command(rich_help_panel=_RUN)
def query(
    host: Host = None,
    port: Port = None,
    certificate: Certificate = None,
    key: CertificateKey = None,
    temporal_ui: Annotated[str | None, typer.Option(help="Where browsers find the Temporal UI.")] = None,
) -> None:
    """Runs the listener on which the ledger is asked over HTTP. Options go before hookledger.toml."""
    from api.query.serve import serve
    from runtime.closed import close_memory
    from runtime.giving_way import give_way
    from runtime.logs import start_logging

    give_way()  # whoever waits for an export can wait a little longer
    close_memory()
    settings = load()
    if tls := _tls(certificate, key):
        settings = settings.model_copy(update={"query": settings.query.model_copy(update={"tls": tls})})
    if temporal_ui:
        console = settings.query.console.model_copy(update={"temporal_ui": temporal_ui})
        settings = settings.model_copy(
            update={"query": settings.query.model_copy(update={"console": console})}
        )
    start_logging()
    _listen(serve, settings, host, port)


@app.command(rich_help_panel=_RUN)
def worker() -> None:
    """Runs lifecycles and activities."""
    from runtime.closed import close_memory
    from runtime.giving_way import give_way
    from runtime.logs import start_logging
    from runtime.shutdown import leave
    from runtime.worker import run_worker

    give_way()
    close_memory()
    start_logging()
    leave(asyncio.run(run_worker(load("worker"))))


@app.command(rich_help_panel=_RUN)
def migrate() -> None:
    """Brings the store to this release's schema."""
    from ledger.migrate import MigrationError, migrate_to_head

    try:
        changed = migrate_to_head(load().store)
    except MigrationError as wrong:
        stop(str(wrong))
    typer.echo("the store is at its newest schema" + ("" if changed else " already"))


@develop.command(rich_help_panel=_DEVELOP)
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


@develop.command(rich_help_panel=_DEVELOP)
def dev(
    port: Annotated[int, typer.Option(help="Port of the webhooks.")] = 8080,
    query_port: Annotated[int, typer.Option(help="Port of the ledger API.")] = 8081,
    ui_port: Annotated[int, typer.Option(help="Port of the Temporal UI.")] = 8233,
    temporal_port: Annotated[int, typer.Option(help="Port of Temporal.")] = 7233,
    tls: Annotated[
        bool, typer.Option("--tls", help="Listen for https, with a certificate made for it.")
    ] = False,
    json_logs: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Runs everything on this machine until Ctrl-C: Postgres, Temporal with its UI, api, query and worker."""
    from dev.stack import Options, run

    options = Options(
        port=port,
        query_port=query_port,
        ui_port=ui_port,
        temporal_port=temporal_port,
        tls=tls,
        json_logs=json_logs,
    )
    raise typer.Exit(run(options))


@develop.command(
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


def main() -> None:
    """Runs a command. Where it has spoken to Temporal, the process leaves as the servers do: see leave()."""
    try:
        app(prog_name="./hookledger")
    except SystemExit as ended:
        if "temporalio" not in sys.modules or not isinstance(ended.code, int):
            raise
        from runtime.shutdown import leave

        leave(ended.code)


if __name__ == "__main__":
    main()
