"""`reconcile`: compares the platform's user list with what hooks told, tenant by tenant, and says what was missed."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines
from ledger.engine import EngineErrors, StoreErrors
from ledger.known import clock
from ledger.visit import OutOfReach, visit
from runtime.os_user import os_user
from runtime.reconcile.tally import Difference
from runtime.reconcile.tally import Progress as Standing
from runtime.reconcile.tenant import UnderWay, reconcile
from runtime.reconcile.user_list import PlatformLost, PlatformRefuses
from settings import Settings
from workflows.reconcile import Counts, Summary

_SHOWN = 20
"""Differences listed one by one; --json lists all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's options. None takes what the tenant's `[platform]` says."""

    dry_run: bool
    run_activities: bool | None
    removals: int | None
    lines: bool


async def run(settings: Settings, tenant: str | None, asked: Asked) -> None:
    """One run for each tenant that has a `[platform]`, or for the one named. Raises typer.Exit."""
    names = _names(settings, tenant)
    try:
        async with visit(settings.store) as connection:
            await clock(connection)
    except OutOfReach as wrong:
        stop(f"nothing was done: {wrong}")
    clean = [await _one(settings, name, asked) for name in names]
    raise typer.Exit(0 if all(clean) else 1)


def _names(settings: Settings, tenant: str | None) -> Sequence[str]:
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    names = [name for name in settings.tenants if settings.tenants[name].platform is not None]
    if tenant is not None and tenant not in names:
        stop(f"tenants.{tenant} has no [platform]: add url and token of an API client (docs/operate.md)")
    if not names:
        stop("no tenant has a [tenants.NAME.platform]: add url and token of an API client (docs/operate.md)")
    return names if tenant is None else [tenant]


async def _one(settings: Settings, name: str, asked: Asked) -> bool:
    found: list[Difference] = []
    beyond = 0

    def take(difference: Difference) -> None:
        nonlocal beyond
        if asked.lines:
            print_lines([asdict(difference)])
        elif len(found) < _SHOWN:
            found.append(difference)
        else:
            beyond += 1

    try:
        with _progress(name, quiet=asked.lines) as show:
            summary = await reconcile(
                settings,
                name,
                actor=os_user(),
                dry_run=asked.dry_run,
                run_activities=asked.run_activities,
                limit=asked.removals,
                found=take,
                watch=show,
            )
    except (PlatformRefuses, UnderWay) as wrong:
        stop(f"{name}: {wrong}")
    except PlatformLost as wrong:
        stop(f"{name}: the platform: {wrong}. What was recorded stands; run it again later")
    except (*EngineErrors, *StoreErrors) as wrong:
        stop(
            f"{name}: the store stopped answering ({type(wrong).__name__}): what was recorded stands; run it again"
        )
    if not asked.lines:
        _show(name, summary, found, beyond, asked)
    notes = Console(stderr=True, highlight=False)
    for note in summary.notes:
        notes.print(Text(f"{name}: {note}", "" if summary.clean else "yellow"), soft_wrap=True)
    return summary.clean


@contextmanager
def _progress(name: str, *, quiet: bool) -> Generator["_Shown"]:
    """A line on standard error while a terminal looks on: what is done, how many people, how many differences."""
    out = Console(stderr=True, quiet=quiet)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        yield _Shown(name, bar)


class _Shown:
    """Called with each step of a run."""

    def __init__(self, name: str, bar: Progress) -> None:
        self._name, self._bar = name, bar
        self._task = bar.add_task(name, total=None, told="")

    def __call__(self, now: Standing) -> None:
        counts = now.counts
        missed = counts.created + counts.changed + counts.removed
        told = f"{counts.listed:,} people, page {counts.pages:,}, {missed:,} missed"
        self._bar.update(
            self._task,
            description=f"{self._name}: {now.doing}",
            completed=counts.listed,
            total=now.total or None,
            told=told,
        )


def _show(name: str, summary: Summary, found: Sequence[Difference], beyond: int, asked: Asked) -> None:
    out = console()
    out.print(_table(name, summary.counts, dry_run=asked.dry_run))
    for one in found:
        whom = one.platform_id or str(one.subject)
        what = f" {', '.join(one.attributes)}" if one.attributes else ""
        receipt = f", receipt {one.receipt}" if one.receipt else ""
        out.print(Text(f"  {one.difference} · {whom}{what} ({one.evidence}{receipt})"), soft_wrap=True)
    if beyond:
        out.print(f"  and {beyond:,} more: ./hookledger ledger search, or --json")


def _table(name: str, counts: Counts, *, dry_run: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column(f"{name}{' (dry run: nothing was recorded)' if dry_run else ''}")
    table.add_column("people", justify="right")
    rows = (
        ("listed by the platform", counts.listed),
        ("missed create", counts.created),
        ("missed change", counts.changed),
        ("missed removal", counts.removed),
        ("explained by a hook meanwhile", counts.meanwhile),
    )
    for words, count in rows:
        table.add_row(words, f"{count:,}", style="yellow" if count and words.startswith("missed") else "")
    return table
