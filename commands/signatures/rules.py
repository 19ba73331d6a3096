"""The commands about the rules that tenants write."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from commands.mistakes import refuse
from commands.signatures.options import AsJson, Tenant, load, moment
from commands.times import parse_time

rules = typer.Typer(no_args_is_help=True, help="The rules that tenants write: list, report, test.")


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
