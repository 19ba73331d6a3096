"""`python -m chaos`: breaks, judges, shows what happened on standard error, prints one JSON object as its last line."""

import asyncio
import json
import secrets
import sys
import time
from dataclasses import asdict
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from chaos.faults import Breaking, Happened, chosen
from chaos.stack import ChaosError, stack
from chaos.traffic import Traffic, wait
from chaos.verdict import judge
from dev.processes import StackError
from dev.simulate.options import SEEDS

_console = Console(stderr=True)
_PAUSE = (1.0, 4.0)
"""Seconds in which nothing breaks, between two faults."""
_HASTE = 1.25
"""Hooks are begun faster than the run needs: while something is broken their callers wait."""


def main(
    hooks: Annotated[int, typer.Option(min=100, help="At least so many are sent.")] = 2_000,
    faults: Annotated[int, typer.Option(min=1, help="At least so many things break.")] = 12,
    seed: Annotated[int | None, typer.Option(help="The same seed breaks the same things.")] = None,
    keep: Annotated[bool, typer.Option(help="Leave data and logs under .hookledger/.")] = False,
) -> None:
    """Runs two apis, two workers, Temporal and Postgres, breaks them while hooks come in, and looks what is left.

    Exit codes: 0 nothing was lost, missing, doubled or out of order; 1 something was; 2 the run could not be made.
    """
    seed = secrets.randbelow(SEEDS // 2) if seed is None else seed
    chance = Random(seed)
    coming = chosen(faults, chance)
    rate = _HASTE * hooks / (sum(fault.seconds for fault in coming) + faults * sum(_PAUSE) / 2)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    found: list[str] = []
    if not _console.is_terminal:
        _console.print(f"seed {seed}", highlight=False)
    try:
        with Progress(*columns, console=_console) as progress, stack(keep) as running:
            breaking = progress.add_task(f"seed {seed}", total=faults)
            sending = progress.add_task("hooks", total=hooks)
            traffic = Traffic(running, seed, max(rate, 8.0))
            trouble = Breaking(running, chance)
            while coming:
                wait(chance.uniform(*_PAUSE), traffic)
                fault = trouble.next_of(coming)
                progress.update(breaking, description=fault.name)
                if not _console.is_terminal:
                    _console.print(f"{traffic.sent()} hooks sent; {fault.name}", highlight=False)
                trouble.happen(fault)
                progress.update(breaking, advance=1)
                progress.update(sending, completed=traffic.sent())
            trouble.mend()
            happened = trouble.happened()
            while traffic.sent() < hooks:
                wait(1.0, traffic)
                progress.update(sending, completed=traffic.sent())
            ended = time.time()
            traffic.end()
            progress.update(breaking, description="settling")
            verdict = asyncio.run(judge(running, traffic, happened, ended, found.append))
    except (ChaosError, StackError) as wrong:
        _console.print(str(wrong), style="red", markup=False)
        raise typer.Exit(2) from None
    _console.print(_table(happened))
    for words in found:
        _console.print(words, markup=False, highlight=False, soft_wrap=True)
    print(json.dumps({"seed": seed, **asdict(verdict)}))
    if not verdict.clean:
        raise typer.Exit(1)


def _table(happened: list[Happened]) -> Table:
    table = Table("fault", "seconds", title="What broke")
    for fault in happened:
        table.add_row(fault.name, f"{fault.over - fault.begun:.1f}")
    return table


if __name__ == "__main__":
    sys.argv[0] = "python -m chaos"
    typer.run(main)
