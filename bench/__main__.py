"""`python -m bench`: measures, shows a table on standard error, prints one JSON object as its last line."""

import json
import sys
from dataclasses import asdict, replace
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

from bench.figures import AIMS, Figure
from bench.rounds import FULL, PARTS, QUICK, QUICK_PARTS, measure, steps
from bench.stack import BenchError
from dev.processes import StackError

_console = Console(stderr=True)


def main(
    quick: Annotated[
        bool, typer.Option(help="Under a minute, with wider noise and a shorter tempo.")
    ] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of everything, instead of 7.")] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="races, rules, storms, imports, questions, sealing, export: some of them, by commas. All, or races and storms if quick."
        ),
    ] = None,
) -> None:
    """Measures Hookledger against the bare references kept beside it."""
    size = QUICK if quick else FULL
    if rounds:
        size = replace(
            size,
            rounds=rounds,
            storm_rounds=rounds,
            spread_rounds=rounds,
            import_rounds=rounds,
            seal_rounds=rounds,
            export_rounds=rounds,
        )
    parts = frozenset(only.split(",")) if only else QUICK_PARTS if quick else PARTS
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=_console) as progress:
            task = progress.add_task("bench", total=steps(size, parts))

            def say(what: str) -> None:
                progress.update(task, description=what, advance=1)

            figures = measure(size, say, parts).figures()
    except (BenchError, StackError) as wrong:
        _console.print(str(wrong), style="red", markup=False)
        raise typer.Exit(2) from None
    _console.print(_table(figures))
    print(json.dumps({name: asdict(figure) for name, figure in figures.items()}))


def _table(figures: dict[str, Figure]) -> Table:
    table = Table(
        "figure", "aim", "median", "min", "max", "rounds", title="Hookledger against its references"
    )
    for name, figure in figures.items():
        numbers = (f"{v:.3g}" for v in (figure.median, figure.min, figure.max))
        table.add_row(name, AIMS.get(name, ""), *numbers, str(figure.rounds))
    return table


if __name__ == "__main__":
    sys.argv[0] = "python -m bench"
    typer.run(main)
