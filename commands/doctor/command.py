"""Runs the doctor: looks, prints, and says by the exit code whether something is wrong."""

import asyncio
from dataclasses import asdict

import typer

from commands.doctor.look import look
from commands.doctor.screen import show
from commands.output import as_json, console
from settings import Settings


def run(settings: Settings, tenant: str | None = None, *, as_object: bool) -> None:
    """Prints the report, as one JSON object if wanted. Raises typer.Exit: 0 fine, 1 something is wrong."""
    out = console()
    if tenant is not None:
        settings = settings.model_copy(update={"tenants": {tenant: settings.tenants[tenant]}})
    if as_object:
        report = asyncio.run(look(settings))
        print(as_json({"fine": report.fine, **asdict(report)}))
    else:
        with out.status("Looking"):
            report = asyncio.run(look(settings))
        show(out, report)
    raise typer.Exit(0 if report.fine else 1)
