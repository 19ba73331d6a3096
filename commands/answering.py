"""`ledger QUESTION`: asks, and prints the answer as a table, as lines of JSON or as CSV, with its report."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from commands.times import parse_time
from ledger.answer import PAGE, BadToken, Page, Reader, answer, stream
from ledger.engine import Engine, EngineErrors, connect
from ledger.questions.parameters import Parameters
from ledger.questions.question import Column, Question
from ledger.report import Report, Row, cell, line
from ledger.visit import why
from runtime.reading import reader
from settings import Settings

_SECONDS = 600.0
"""Longest single statement: an answer may read a year."""
_BAD = frozenset(
    {"failed", "refused", "held", "secret_gone", "ending", "unknown", "leaver", "broken off", "degraded"}
)


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is given."""

    json: bool
    csv: bool
    limit: int | None
    after: str | None
    report: Path | None


async def run(settings: Settings, question: Question, given: Mapping[str, str | None], form: Form) -> None:
    """Asks and prints. Raises typer.Exit."""
    if form.json and form.csv:
        stop("--json and --csv: give one of them")
    asked = _asked(settings, question, given)
    engine = connect(settings.store.url, name="hookledger question", pool_size=2, statement_timeout=_SECONDS)
    try:
        report = await _answered(engine, question, asked, form)
    except BadToken as wrong:
        stop(f"--after: {wrong}")
    except BrokenPipeError:
        # Whoever read has enough; Python must not say so again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except EngineErrors as wrong:
        stop(f"the store {why(wrong)}")
    finally:
        await engine.dispose()
    if form.report is not None:
        form.report.write_text(as_json(report.as_object()) + "\n", encoding="utf-8")


def _asked(settings: Settings, question: Question, given: Mapping[str, str | None]) -> Parameters:
    """What was asked, read by the question's own model. Stops at a mistake, naming the option."""
    told: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "tenant" not in told and len(settings.tenants) == 1:
        [told["tenant"]] = settings.tenants
    if "tenant" not in told:
        stop(f"--tenant: name one of {', '.join(settings.tenants)}")
    if told["tenant"] not in settings.tenants:
        stop(f"no tenant {told['tenant']}; configured are {', '.join(settings.tenants)}")
    for name in ("since", "until"):
        if name in told:
            try:
                told[name] = parse_time(told[name])
            except ValueError as wrong:
                stop(f"--{name}: {wrong}")
    try:
        return question.parameters.model_validate(told)
    except ValidationError as wrong:
        mistakes = wrong.errors(include_url=False, include_input=False, include_context=False)
        stop("; ".join(f"--{'-'.join(map(str, m['loc']))}: {m['msg']}" for m in mistakes))


async def _answered(engine: Engine, question: Question, asked: Parameters, form: Form) -> Report:
    who = reader()
    if form.json or form.csv:
        write = _csv_writer(question) if form.csv else _write_lines
        if form.limit is None and form.after is None:
            report, rest = await _streamed(engine, question, asked, who, write), None
        else:
            page = await answer(engine, question, asked, who, after=form.after, limit=form.limit or PAGE)
            write(page.rows)
            report, rest = page.report, page.next
        sys.stdout.flush()
        _tell(Console(stderr=True, highlight=False), report, rest)
        return report
    page = await answer(engine, question, asked, who, after=form.after, limit=form.limit or PAGE)
    _show(question, asked, page)
    return page.report


async def _streamed(
    engine: Engine, question: Question, asked: Parameters, who: Reader, write: Callable[[Iterable[Row]], None]
) -> Report:
    async with stream(engine, question, asked, who) as coming:
        with _counting() as count:
            async for rows in coming.batches:
                write(rows)
                count(coming.report.rows)
        return coming.report


def _counting() -> AbstractContextManager[Callable[[int], None]]:
    """Shows how many rows there are so far, if somebody watches and the rows go elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return nullcontext(lambda _: None)
    from commands.counting import counting

    return counting()


def _write_lines(rows: Iterable[Row]) -> None:
    sys.stdout.write("".join(map(line, rows)))


def _csv_writer(question: Question) -> Callable[[Iterable[Row]], None]:
    writer = csv.writer(sys.stdout)
    writer.writerow([column.name for column in question.columns])
    return lambda rows: writer.writerows([cell(value) for value in row.values()] for row in rows)


def _show(question: Question, asked: Parameters, page: Page) -> None:
    out = console()
    out.print(Text(question.title, "bold"))
    if not page.rows:
        nobody = page.report.people == ()
        out.print(f"nobody was ever called so in {asked.tenant}" if nobody else "nothing", markup=False)
    else:
        out.print(_table(_columns(question, page.rows), page.rows))
    _tell(out, page.report, page.next)


def _columns(question: Question, rows: Sequence[Row]) -> list[Column]:
    """Those in which anything stands, but for what only programs read. Who has a login needs no pseudonym."""
    brief = [
        c for c in question.columns if c.brief and any(row[c.name] not in (None, "", {}) for row in rows)
    ]
    nameless = any(c.name == "login" for c in question.columns) and any(
        row["subject"] is not None and row["login"] is None for row in rows
    )
    subject = [c for c in question.columns if c.name == "subject" and nameless and c not in brief]
    return subject + brief


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = column.kind == "number"
        name = f"{column.name} (UTC)" if column.kind == "time" else column.name
        table.add_column(name.replace("_", " "), justify="right" if number else "left", overflow="fold",
                         no_wrap=column.kind in ("id", "number", "flag", "day"))  # fmt: skip
    for row in rows:
        table.add_row(*(_shown(column, row[column.name]) for column in columns))
    return table


def _shown(column: Column, value: Any) -> Text:
    match value:
        case None:
            return Text("")
        case bool():
            bad = value is (column.name == "silent")
            return Text("yes" if value else "no", "red" if bad else "green")
        case datetime():
            return Text(f"{value:%Y-%m-%d %H:%M:%S}")
        case date():
            return Text(value.isoformat())
        case int():
            return Text(f"{value:,}" if column.name != "id" else str(value))
        case dict():
            return Text(printable(" · ".join(f"{k} {_inner(v)}" for k, v in value.items())))  # pyright: ignore[reportUnknownVariableType]
        case list():
            return Text(printable(_inner(value)))
        case _:
            text = printable(str(value))
            return Text(text, "red" if text in _BAD else "")


def _inner(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_inner, value))  # pyright: ignore[reportUnknownArgumentType]
    return value if isinstance(value, str) else as_json(value)


def _tell(out: Console, report: Report, rest: str | None) -> None:
    read = f" · this reading is entry {report.receipt}" if report.receipt else ""
    rows = f"{report.rows:,} row{'' if report.rows == 1 else 's'}"
    out.print(Text(f"{rows} · asked {report.asked_at:%Y-%m-%d %H:%M:%S} UTC{read}", "dim"), soft_wrap=True)
    out.print(Text(f"SHA-256 of the rows as --json prints them: {report.sha256}", "dim"), soft_wrap=True)
    for note in report.notes:
        out.print(Text(f"note: {printable(note)}", "yellow"), soft_wrap=True)
    if rest is not None:
        # Not folded: it must survive copy and paste.
        out.print(Text(f"there are more: --after {rest}", "cyan"), soft_wrap=True)
