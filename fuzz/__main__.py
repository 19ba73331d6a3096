"""`python -m fuzz`: calls every surface at random, grows inputs for the readers, prints one JSON object as its last line."""

import json
import secrets
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dev.processes import StackError
from fuzz.enough import blind
from fuzz.growing import FuzzError, Grown, grow
from fuzz.surfaces import Called, call_all
from leakscan.stack import ScanError

_console = Console(stderr=True)
_STEPS = 1000


def main(
    cases: Annotated[
        int, typer.Option(min=0, help="Random calls of all surfaces together; 0: none.")
    ] = 20_000,
    minutes: Annotated[float, typer.Option(min=0, help="For the coverage-guided fuzzers; 0: none.")] = 10,
    seed: Annotated[int | None, typer.Option(help="The same calls again.")] = None,
) -> None:
    """Fuzzes. Exit codes: 0 nothing went wrong; 1 something did; 2 it could not be done, or shows nothing."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    called: dict[str, Called] = {}
    grown: dict[str, Grown] = {}
    try:
        with Progress(*columns, console=_console) as progress:
            if minutes:
                task = progress.add_task("growing inputs", total=_STEPS)
                grown = grow(minutes * 60, lambda share: progress.update(task, completed=int(share * _STEPS)))
                progress.update(task, completed=_STEPS)
            if cases:
                task = progress.add_task(f"calling (seed {seed})", total=cases)
                called = call_all(cases, seed, lambda more: progress.advance(task, more))
    except (FuzzError, ScanError, StackError) as wrong:
        _console.print(str(wrong), style="red", markup=False)
        raise typer.Exit(2) from None
    _tell(called, grown)
    errors = sum(len(surface.wrong) for surface in called.values())
    wrong_inputs = sum(target.wrong is not None for target in grown.values())
    figures: dict[str, Any] = {
        "seed": seed,
        "cases": sum(surface.cases for surface in called.values()),
        "server_errors": errors,
        "surfaces": {name: dict(sorted(surface.statuses.items())) for name, surface in called.items()},
        "minutes": minutes,
        "runs": {name: target.runs for name, target in grown.items()},
        "kept": {name: target.kept for name, target in grown.items()},
        "wrong_inputs": wrong_inputs,
    }
    print(json.dumps(figures))
    not_shown = list(
        blind(cases, {name: surface.statuses for name, surface in called.items()}, figures["runs"])
    )
    for words in not_shown:
        _console.print(f"blind: {words}", style="red", markup=False)
    if errors or wrong_inputs:
        raise typer.Exit(1)
    if not_shown:
        raise typer.Exit(2)


def _tell(called: dict[str, Called], grown: dict[str, Grown]) -> None:
    """What went wrong, and how to see it again."""
    for name, target in grown.items():
        if target.wrong is not None:
            _console.print(target.words, markup=False)
            _console.print(f"again: python -m fuzz.guided {name} {target.wrong}", style="red", markup=False)
    for surface in called.values():
        for words in surface.wrong[:20]:
            _console.print(words, style="red", markup=False)


if __name__ == "__main__":
    sys.argv[0] = "python -m fuzz"
    typer.run(main)
