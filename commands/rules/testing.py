"""`rules test`: runs tables of examples, and shows what failed like a test runner."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, print_lines, printable
from commands.rules.examples import Outcome, Table

DEFAULT = Path("rules/examples")


def run(paths: Sequence[Path], *, lines: bool) -> None:
    """Runs every example. Raises typer.Exit with 1 if one failed; `lines`: one JSON object for each."""
    tables = [Table(file) for file in _files(paths)]  # all mistakes of a file before the first example
    started = time.perf_counter()
    outcomes: list[Outcome] = []
    for table in tables:
        outcomes += _run(table, quiet=lines)
    if lines:
        print_lines({**asdict(outcome), "passed": not outcome.wrong} for outcome in outcomes)
    else:
        _show(outcomes, time.perf_counter() - started)
    raise typer.Exit(1 if any(outcome.wrong for outcome in outcomes) else 0)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths or (DEFAULT,):
        if path.is_dir():
            found += sorted(path.glob("*.toml"))
        elif path.exists():
            found.append(path)
        else:
            stop(f"{path}: there is no such file or directory of examples")
    if not found:
        stop(f"{', '.join(map(str, paths or (DEFAULT,)))}: no examples there, which are files *.toml")
    return found


def _run(table: Table, *, quiet: bool) -> list[Outcome]:
    out = console()
    if not quiet:
        out.print(Text(f"{table.path} "), end="")
    outcomes: list[Outcome] = []
    for outcome in table.run():
        outcomes.append(outcome)
        if not quiet:
            out.print(Text("F", "bold red") if outcome.wrong else Text(".", "green"), end="")
    if not quiet:
        out.print()
    return outcomes


def _show(outcomes: Sequence[Outcome], seconds: float) -> None:
    out = console()
    failed = [outcome for outcome in outcomes if outcome.wrong]
    for outcome in failed:
        out.print(
            Text.assemble("\n", (outcome.name, "bold red"), (f"  {outcome.file}:{outcome.line}", "cyan"))
        )
        for what, expected, got in outcome.wrong:
            out.print(Text.assemble(f"    {what:<12} expected ", (_shown(expected), "green")))
            out.print(Text.assemble(" " * 17 + "got      ", (_shown(got), "red")))
        for said in outcome.said or ["no rule had anything to say"]:
            out.print(Text(f"    {printable(said)}", "dim"))
    passed = len(outcomes) - len(failed)
    words = f"{passed} passed" + (f", {len(failed)} failed" if failed else "") + f" in {seconds:.2f} s"
    out.print(Text("\n" + words, "bold red" if failed else "bold green"))


def _shown(value: Any) -> str:
    return printable(value if isinstance(value, str) else as_json(value))
