"""Shows a run: the progress while it goes on, and the closing table."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from dev.simulate.report import Report, Row, Standing


@contextmanager
def progress(console: Console) -> Generator[Callable[[Standing], None]]:
    """A line with users done, hooks per second, breaches and silence; nothing where no terminal is."""
    columns = (
        TextColumn("users"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("users", total=None, told="")

        def show(standing: Standing) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = standing.hooks / elapsed if elapsed else 0.0
            told = (
                f"{standing.hooks:,} hooks  {rate:,.0f}/s  {_plural(standing.breaches, 'breach', 'breaches')}"
            )
            if standing.unanswered:
                told += f"  {standing.unanswered:,} unanswered"
            bar.update(task, completed=standing.done, total=standing.users, told=told)

        yield show


def close(console: Console, report: Report) -> None:
    """Prints the closing table, what broke the contract, the run in figures, and the verdict."""
    console.print(_table(report.rows))
    if report.breaches:
        console.print(Text(f"Breaches of the contract: {report.breach_count:,}", style="italic"))
    for breach in sorted(report.breaches, key=lambda breach: -breach.times):
        shown = f"  {breach.hook} × {breach.times:,}: expected {breach.expected}; got {breach.got}"
        console.print(Text(f"{shown}  (first: {breach.first})"), soft_wrap=True)
    console.print(Text(_figures(report)), soft_wrap=True)
    verdict = "Every answer kept to the contract." if report.clean else "The contract was broken."
    console.print(Text(verdict, style="bold green" if report.clean else "bold red"))
    if report.hint:
        console.print(Text(report.hint))


def _table(rows: tuple[Row, ...]) -> Table:
    table = Table(title="Answers by hook and status", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("hook")
    for name in ("status", "answers", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    for row in rows:
        style = "" if row.status.startswith(("2", "4")) else "yellow"
        table.add_row(
            row.hook, row.status, f"{row.count:,}", _time(row.p50_ms), _time(row.p99_ms), style=style
        )
    return table


def _figures(report: Report) -> str:
    parts = [
        f"seed {report.seed}",
        _plural(report.users, "user", "users"),
        f"{_plural(report.hooks, 'hook', 'hooks')} in {report.seconds:.1f} s",
        f"{report.hooks_per_second:,.0f} hooks/s",
        f"p50 {_time(report.p50_ms)} ms",
        f"p99 {_time(report.p99_ms)} ms",
    ]
    for count, name in (
        (report.duplicates, "duplicates"),
        (report.reorderings, "reorderings"),
        (report.bad_bodies, "bad bodies"),
        (report.unavailable, "validates turned away as unavailable"),
    ):
        if count:
            parts.append(f"{count:,} {name}")
    if report.unanswered:
        why = ", ".join(f"{count:,} × {reason}" for reason, count in sorted(report.unanswered_why.items()))
        parts.append(f"{report.unanswered:,} unanswered ({why})")
    return "; ".join(parts)


def _time(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:,.1f}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
