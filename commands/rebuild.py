"""`ledger rebuild`: computes entitlements anew from the ledger, and shows whether they are what the store holds."""

from collections.abc import Callable

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from ledger.visit import OutOfReach, visit
from runtime.rebuild import Rebuilt, rebuild
from settings import Settings

_SECONDS = 600.0
_SHOWN = 20


async def run(settings: Settings, tenant: str | None, *, write: bool, as_object: bool) -> None:
    """One tenant after the other. Raises typer.Exit: 1 if something differed and was not written."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    # The application's role may make no tables, not even for itself.
    if settings.store.owner_url is None:
        stop("store.owner_url is not configured: rebuild works with the role that migrates")
    store = settings.store.model_copy(update={"url": settings.store.owner_url})
    errors = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    found: dict[str, Rebuilt] = {}
    try:
        with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as progress:
            for name in [tenant] if tenant else settings.tenants:
                seen = _bar(progress, progress.add_task(f"entries of {name}", total=None))
                async with visit(store, _SECONDS) as connection:
                    found[name] = await rebuild(connection, name, write=write, most=_SHOWN, seen=seen)
    except OutOfReach as wrong:
        if "40001" in str(wrong):
            stop("hooks have changed the same people meanwhile, and nothing was written: run it again")
        stop(f"{wrong}")
    for name, rebuilt in found.items():
        if as_object:
            typer.echo(as_json(_object(name, rebuilt)))
        else:
            _show(console(), name, rebuilt)
    if any(r.comparison.differences and not r.written for r in found.values()):
        raise typer.Exit(1)


def _bar(progress: Progress, task: TaskID) -> Callable[[int, int], None]:
    return lambda at, last: progress.update(task, completed=at, total=max(last, 1))


def _object(tenant: str, rebuilt: Rebuilt) -> dict[str, object]:
    compared = rebuilt.comparison
    return {
        "tenant": tenant,
        "entries": rebuilt.entries,
        "store": compared.store,
        "ledger": compared.ledger,
        "equal": not compared.differences,
        "written": rebuilt.written,
        "erased_people": rebuilt.erased,
        "differences": [
            {"side": d.side, "subject": d.subject, "application": d.application, "role": d.role, "state": d.state,
             "since": d.since, "until": d.until} for d in compared.differences
        ],
    }  # fmt: skip


def _show(out: Console, tenant: str, rebuilt: Rebuilt) -> None:
    compared = rebuilt.comparison
    out.print(
        Text.assemble((printable(tenant), "bold"), f": {rebuilt.entries:,} entries tell of entitlements")
    )
    out.print(f"    in the store {compared.store:>12,}\n    computed anew {compared.ledger:>11,}")
    if not compared.differences:
        out.print(Text("    equal, row by row", "green"))
    for d in compared.differences:
        sign, style = ("-", "red") if d.side == "store" else ("+", "green")
        until = f"{d.until:%Y-%m-%d %H:%M:%S}" if d.until else "now"
        held = f"{d.subject} {d.application} {d.role or '(itself)'} {d.state} {d.since:%Y-%m-%d %H:%M:%S} to {until}"
        out.print(Text(f"    {sign} {printable(held)}", style), soft_wrap=True)
    if len(compared.differences) == _SHOWN:
        out.print(
            f"    [dim]the first {_SHOWN} rows that differ: - is only in the store, + only computed anew"
        )
    if compared.differences:
        words = "the store now holds what was computed" if rebuilt.written else "--write puts them right"
        out.print(Text(f"    {words}", "" if rebuilt.written else "yellow"))
    if rebuilt.erased:
        out.print(
            f"    {rebuilt.erased:,} people are left out: something of theirs was erased, or dropped by retention"
        )
