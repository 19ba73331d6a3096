"""`builds list`, `current`, `ramp`: which build of the workers Temporal gives tasks to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

from rich.table import Table
from temporalio.client import Client
from temporalio.service import RPCError

from commands.ending import stop
from commands.output import as_json, console
from runtime.client import connect
from runtime.releasing import Build, CannotRelease, builds, make_current, ramp
from settings import Settings

T = TypeVar("T")


def listing(settings: Settings, *, as_object: bool) -> None:
    """Prints the builds, newest first."""
    name = _deployment(settings)
    found = _done(lambda client: builds(client, name))
    if as_object:
        print(as_json([asdict(build) for build in found]))
    elif not found:
        console().print(f"no worker of deployment {name} has polled yet", markup=False)
    else:
        console().print(_table(found))


def current(settings: Settings, build: str) -> None:
    """Tasks go to that build from now on; the way back is the same command with the build before."""
    name = _deployment(settings)
    _done(lambda client: make_current(client, name, build))
    console().print(f"{build} is current: open runs go over to it with their next task", markup=False)


def ramping(settings: Settings, build: str, percent: float) -> None:
    """A share of new runs goes to that build."""
    name = _deployment(settings)
    _done(lambda client: ramp(client, name, build, percent))
    console().print(f"{percent:g} % of new runs go to {build}", markup=False)


def _deployment(settings: Settings) -> str:
    if settings.temporal.deployment is None:
        stop("workers are not versioned: give temporal.deployment a name (docs/release.md)")
    return settings.temporal.deployment


def _done(deed: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        return await deed(await connect(lazy=False))

    try:
        return asyncio.run(run())
    except CannotRelease as wrong:
        stop(f"{wrong}")
    except (RPCError, RuntimeError, OSError) as wrong:
        stop(f"Temporal is out of reach ({type(wrong).__name__}): check TEMPORAL_ADDRESS")


def _table(found: list[Build]) -> Table:
    table = Table("build", "state", "seen since", box=None, header_style="bold")
    for build in found:
        state = (
            "current"
            if build.current
            else f"ramping, {build.ramping:g} %"
            if build.ramping
            else build.drainage
        )
        since = f"{build.since:%Y-%m-%d %H:%M} UTC" if build.since else "-"
        table.add_row(build.id, state or "-", since, style="green" if build.current else "")
    return table
