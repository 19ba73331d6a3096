"""`degraded`: who got an answer while the store was out of reach, what the check said afterwards, and what to do."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.reading import note
from commands.times import ago
from ledger.degraded import (
    ANSWERED_UNCHECKED,
    COUNTED,
    NOT_KEPT,
    PASSED_UNCHECKED,
    TURNED_AWAY,
    UNDECIDED,
    WOULD_DIFFER,
    WOULD_PASS,
    WOULD_REFUSE,
    WOULD_REMOVE,
    DegradedAnswer,
    find_degraded,
)
from ledger.visit import OutOfReach, visit
from settings import Settings

_TITLES = {
    PASSED_UNCHECKED: "Let through unchecked",
    TURNED_AWAY: "Turned away as ValidationUnavailable",
    ANSWERED_UNCHECKED: "Answered without what the store knows",
    UNDECIDED: "runDeprovision answered false",
    NOT_KEPT: "Answered, and not kept: there was no room",
}
_NEXT: dict[tuple[str, str | None], str] = {
    (
        PASSED_UNCHECKED,
        WOULD_REFUSE,
    ): "In the platform, correct one of those who share these values, or undo the change.",
    (TURNED_AWAY, WOULD_PASS): "Tell whoever asked to save the user once more: nothing is in the way.",
    (
        TURNED_AWAY,
        WOULD_REFUSE,
    ): "Nothing to do: it would have been refused. The values must change before they try again.",
    (
        TURNED_AWAY,
        None,
    ): "Tell whoever asked to save the user once more; the api's log says which decision failed.",
    (
        ANSWERED_UNCHECKED,
        WOULD_DIFFER,
    ): "In the platform, save the user or retry the provisioning, so that it is asked again.",
    (UNDECIDED, WOULD_REMOVE): "In the platform, run the Deprovision rule again: access was left in place.",
    (
        NOT_KEPT,
        COUNTED,
    ): "The api's log names the receipts. Raise api.keep_degraded if this is to be expected.",
}
_DONE = frozenset({(TURNED_AWAY, WOULD_REFUSE)})
"""With nothing left to do."""


async def run(settings: Settings, tenant: str | None, since: datetime, most: int, *, lines: bool) -> None:
    """Prints the newest first. `lines`: one JSON object each. Raises typer.Exit: 1 if something is left to do."""
    tenants = [tenant] if tenant else list(settings.tenants)
    try:
        async with visit(settings.store) as connection:
            found = await find_degraded(connection, tenants, since, most)
            await note(connection, "degraded", (d.tenant for d in found), {"since": since})
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if lines:
        print_lines({**asdict(answer), "next": next_step(answer)} for answer in found)
    elif not found:
        console().print(f"no answer was given without the store since {since:%Y-%m-%d %H:%M} UTC")
    else:
        _show(found, most)
    raise typer.Exit(1 if any(left_to_do(answer) for answer in found) else 0)


def next_step(answer: DegradedAnswer) -> str | None:
    """What an operator does about it; None: the answer was right."""
    return _NEXT.get((answer.answer, answer.check))


def left_to_do(answer: DegradedAnswer) -> bool:
    """Whether the answer was not what the check would have said."""
    return next_step(answer) is not None and (answer.answer, answer.check) not in _DONE


def _show(found: Sequence[DegradedAnswer], most: int) -> None:
    out, now = console(), datetime.now(UTC)
    for answer, title in _TITLES.items():
        these = [a for a in found if a.answer == answer]
        if not these:
            continue
        out.print(Text.assemble((title, "bold"), f": {len(these):,}"))
        for row in these:
            out.print(_line(row, now))
            out.print(Text(f"        receipt {row.delivery}", "dim"))
        for step in dict.fromkeys(filter(None, map(next_step, these))):
            out.print(Text(f"    {step}", "cyan"))
        out.print()
    if len(found) == most:
        out.print(f"[dim]the newest {most:,}; --limit shows more")


def _line(row: DegradedAnswer, now: datetime) -> Text:
    check = (
        row.check
        if row.check != COUNTED
        else ", ".join(f"{n} {k}" for k, n in row.detail.get("counts", {}).items())
    )
    attributes = ", ".join(map(str, row.detail.get("attributes", ())))
    said = (check or "not checked") + (f": {attributes}" if attributes else "")
    where = " → ".join(filter(None, (row.hook, row.application)))
    who = row.login or str(row.subject or "nobody in particular")
    return Text.assemble(
        "    ",
        (printable(who), "bold"),
        f" of {row.tenant} · ",
        printable(where),
        f" · {ago(row.answered_at, now)} ({row.answered_at:%Y-%m-%d %H:%M:%S} UTC) · ",
        (printable(said), "yellow" if left_to_do(row) else ""),
    )
