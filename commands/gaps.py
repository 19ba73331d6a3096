"""`gaps`: intentions that nothing followed, what is missing, and where to look."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.reading import note
from commands.times import ago, duration
from hooks import by_name
from hooks.chains import expectations
from ledger.gaps import Gap, Question, find_gaps
from ledger.visit import OutOfReach, visit
from settings import Settings, Windows

EXTERNAL_LOGS = "External Logs in the platform show whether it sent the hook, and what it was answered"
"""Of the platform (CONTRACT B1.2)."""
_NOT_GONE_ON = (
    "Given up, refused by the platform itself, or waiting for an approval: ask who asked.",
    "If approvals take longer at your place, lengthen {hook} in [tenants.{tenant}.windows].",
)
_HOW_IT_IS = (
    "Look at the user in the platform. As it was to be: the fact was lost; not so: it went wrong there.",
    f"{EXTERNAL_LOGS}.",
)
_ADVICE: Mapping[str, Sequence[str]] = {
    "validateUser": _NOT_GONE_ON,
    "validateUpdateUser": _NOT_GONE_ON,
    "preCreateUser": _HOW_IT_IS,
    "preUpdateUser": _HOW_IT_IS,
    "preProvision": (
        "Look at the application's status at the user in the platform: pending, failed (Retry is there), or done.",
        f"{EXTERNAL_LOGS}; POST HOOK may be off for this application (Provisioning > Hook Configurations).",
    ),
}
_OTHERS = (f"{EXTERNAL_LOGS}.",)
_ENDS = {
    "confirmed late": "the fact came late",
    "taken up": "the chain went on with a later hook",
    "no longer expected": "the person was archived",
}


async def run(
    settings: Settings,
    tenant: str | None,
    since: datetime | None,
    hook: str | None,
    most: int,
    *,
    closed: bool,
    lines: bool,
) -> None:
    """Prints the newest first. `closed`: also those that are over. `lines`: one JSON object each."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    asked = Question([tenant] if tenant else list(settings.tenants), since, _named(hook), closed, most)
    try:
        async with visit(settings.store) as connection:
            found = await find_gaps(connection, asked)
            await note(connection, "gaps", (g.tenant for g in found), {"since": since, "hook": asked.hook})
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if lines:
        print_lines(_line(gap) for gap in found)
    elif not found:
        console().print("no gaps" if closed else "no open gaps")
    else:
        _show(console(), found, asked)


def _named(hook: str | None) -> str | None:
    """In the platform's spelling. Only an intention can have a gap."""
    if hook is None:
        return None
    intentions = sorted(e.hook for e in expectations(Windows()))
    known = by_name().get(hook.lower())
    if known is None or known.name not in intentions:
        stop(f"--hook: {hook} is no intention that a fact confirms; those are {', '.join(intentions)}")
    return known.name


def _line(gap: Gap) -> dict[str, Any]:
    row = asdict(gap)
    return row | ({} if gap.closed_as else {"missing": missing(gap), "next": next_steps(gap)})


def missing(gap: Gap) -> str:
    """What should have come."""
    facts = " or ".join(gap.expected)
    between = next((e.onward[1:] for e in expectations(Windows()) if e.hook == gap.hook), ())
    words = f"neither {' nor '.join(between)} nor {facts} has come" if between else f"no {facts} has come"
    return words + (f" for {gap.application}" if gap.application else "")


def next_steps(gap: Gap) -> list[str]:
    """What to do, in the order in which it helps."""
    steps = [words.format(hook=gap.hook, tenant=gap.tenant) for words in _ADVICE.get(gap.hook, _OTHERS)]
    who = shlex.quote(gap.login or str(gap.subject))
    steps.append(f"./hookledger ledger search --tenant {gap.tenant} --user {who}")
    return steps


def _show(out: Console, found: list[Gap], asked: Question) -> None:
    now = datetime.now(UTC)
    for gap in found:
        where = " → ".join(filter(None, (gap.hook, gap.application)))
        who = printable(f"{gap.login or gap.subject} of {gap.tenant}")
        if gap.closed_as and gap.closed_at:
            took = duration((gap.closed_at - gap.since).total_seconds())
            end = f"{_ENDS[gap.closed_as]}, after {took}"
            out.print(Text.assemble(("closed  ", "green"), (printable(where), "bold"), f" · {who} · {end}\n"))
            continue
        since = f"since {gap.since:%Y-%m-%d %H:%M} UTC, {ago(gap.since, now)}"
        out.print(
            Text.assemble(("open    ", "yellow"), (printable(where), "bold"), f" · {who} · waits {since}")
        )
        waits = f"; {gap.dropped} pieces of work wait for it" if gap.dropped > 1 else ""
        waits = "; one piece of work waits for it" if gap.dropped == 1 else waits
        out.print(Text(f"        {printable(missing(gap))}{waits}"))
        *steps, search = next_steps(gap)
        for step in steps:
            out.print(Text(f"        {printable(step)}", "dim"))
        # Not folded: it must survive copy and paste.
        out.print(Text(f"        {printable(search)}\n", "cyan"), soft_wrap=True)
    if any(gap.closed_as is None for gap in found):
        out.print(
            "What was lost on the way, ./hookledger reconcile finds in the platform's own list of users."
        )
    if len(found) == asked.most:
        out.print(f"[dim]the newest {asked.most}; --limit shows more")
