"""`rules table`: fills a table for lookup() in the store from a CSV file."""

import csv
from pathlib import Path

import typer

from commands.ending import stop
from ledger.engine import EngineErrors, connect_store
from ledger.lookups import replace_table
from rules.compiling import rows_of
from settings import Settings


async def run(settings: Settings, tenant: str, name: str, file: Path, key: str, value: str) -> None:
    """Replaces the table by the file's rows; every api has them within seconds."""
    if tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    source = settings.tenants[tenant].rules.tables.get(name)
    if source is None or not source.store:
        stop(
            f"tenants.{tenant}.rules.tables.{name} is not there: add {name} = {{ store = true }} to the tables"
        )
    try:
        rows = rows_of(file, key, value)
    except (OSError, ValueError, csv.Error) as wrong:
        stop(str(wrong))
    engine = connect_store(settings.store, "hookledger rules table")
    try:
        async with engine.begin() as connection:
            await replace_table(connection, tenant, name, rows)
    except EngineErrors as wrong:
        stop(f"the store does not answer ({type(wrong).__name__}): ./hookledger doctor")
    finally:
        await engine.dispose()
    typer.echo(f"table {name} of tenant {tenant} has {len(rows):,} rows; every api has them within 5 s")
