"""The command `./hookledger`: each command imports what it needs when it is called."""

import asyncio
from typing import Annotated

import typer

import settings as configuration

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Receives the webhooks of the Cymmetri Identity Platform; keeps the ledger.",
)


def load() -> configuration.Settings:
    """The configuration, or its mistakes on standard error and exit code 2."""
    try:
        return configuration.load()
    except configuration.ConfigError as wrong:
        typer.secho(str(wrong), err=True, fg="red")
        raise typer.Exit(2) from None


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Runs the webhook listener."""
    from api.serve import serve
    from runtime.logs import start_logging

    start_logging()
    serve(load(), host, port)


@app.command()
def worker() -> None:
    """Runs lifecycles and activities."""
    from runtime.logs import start_logging
    from runtime.shutdown import leave
    from runtime.worker import run_worker

    start_logging()
    asyncio.run(run_worker(load()))
    leave(0)


@app.command()
def migrate() -> None:
    """Brings the store to this release's schema."""
    from ledger.migrate import MigrationError, migrate_to_head

    try:
        changed = migrate_to_head(load().store)
    except MigrationError as wrong:
        typer.secho(str(wrong), err=True, fg="red")
        raise typer.Exit(2) from None
    typer.echo("the store is at its newest schema" + ("" if changed else " already"))


@app.command()
def token(
    tenant: Annotated[str | None, typer.Option(help="Tenant as configured; the first if left out.")] = None,
    life: Annotated[int, typer.Option(help="Seconds until it expires.")] = 3600,
) -> None:
    """Mints a token for development, signed as the platform would."""
    from api.auth import mint

    settings = load()
    name = tenant or next(iter(settings.tenants))
    if name not in settings.tenants:
        typer.secho(f"no tenant {name}; configured are {', '.join(settings.tenants)}", err=True, fg="red")
        raise typer.Exit(2)
    typer.echo(mint(name, settings, life=life))


if __name__ == "__main__":
    app(prog_name="./hookledger")
