"""`ledger search`: the entries that fit, as a table or as lines of JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.reading import note
from hooks import by_name
from ledger.access import HOOK
from ledger.named import logins
from ledger.search import Question, search
from ledger.visit import OutOfReach, visit
from rules.normal import login
from settings import Settings

Row = Mapping[str, Any]
_BAD = frozenset(
    {"failed", "refused", "retired", "unconfirmed", "undecided", "braked", "conflict", "incident"}
)
_OF_THE_WATCH = frozenset({"unconfirmed", "confirmed late", "taken up", "no longer expected"})

Span = tuple[datetime | None, datetime | None]
"""Since and until."""


def question(
    user: str | None,
    hook: str | None,
    activity: str | None,
    application: str | None,
    outcome: str | None,
    span: Span,
    tenant: str | None,
    most: int,
) -> Question:
    """What to look for. A login is looked for in its normal form, and a hook in the platform's spelling."""
    known = by_name().get(hook.lower()) if hook else None
    return Question(
        tenant=tenant,
        user=user,
        login=login(user) if user else None,
        hook=known.name if known else hook,
        activity=activity,
        application=application,
        outcome=outcome,
        since=span[0],
        until=span[1],
        most=most,
    )


async def run(settings: Settings, question: Question, *, lines: bool) -> None:
    """Prints what was found, oldest first. `lines`: one JSON object each."""
    try:
        async with visit(settings.store) as connection:
            found = await search(connection, question)
            names = await logins(connection, (row["subject"] for row in found))
            people = sorted({row["subject"] for row in found if row["subject"]}) if question.user else []
            await note(connection, "search", (row["tenant"] for row in found), _told(question), people)
    except OutOfReach as wrong:
        stop(f"{wrong}")
    rows = [{**row, "login": names.get(row["subject"])} for row in found]
    if lines:
        print_lines(rows)
    elif not rows:
        console().print("nothing found")
    else:
        _show(rows, question.most)


def _told(question: Question) -> Row:
    """What was looked for, without the person's name."""
    named = ("hook", "activity", "application", "outcome", "since", "until")
    return {name: getattr(question, name) for name in named}


def _show(rows: Sequence[Row], most: int) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("at (UTC)", "person", "hook", "what", "outcome", "by"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            f"{row['at']:%Y-%m-%d %H:%M:%S}",
            Text(printable(row["login"] or str(row["subject"] or ""))),
            Text(printable(" → ".join(filter(None, (row["hook"], row["application"]))))),
            Text(_what(row)),
            Text(printable(row["outcome"]), "red" if row["outcome"] in _BAD else ""),
            Text(_by(row)),
        )
    out = console()
    out.print(table)
    if len(rows) == most:
        out.print(f"[dim]the newest {most}; --limit shows more, --json everything of an entry")


def _what(row: Row) -> str:
    activity, attempt = row["activity"], row["attempt"]
    if row["hook"] == HOOK:
        return "read"
    if activity is None:
        return "watch" if row["outcome"] in _OF_THE_WATCH else "received"
    return f"{activity} (attempt {attempt})" if attempt and attempt > 1 else str(activity)


def _by(row: Row) -> str:
    acting = f" for {row['acting_for']}" if row["acting_for"] else ""
    return printable(f"{row['actor']}{acting}")
