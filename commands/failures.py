"""`failures`: work that ended badly or is held back, why, and the command that runs it again."""

from dataclasses import asdict
from datetime import UTC, datetime

from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.reading import note
from commands.times import ago
from ledger.failures import Failure, find_failures
from ledger.visit import OutOfReach, visit
from settings import Settings


async def run(settings: Settings, tenant: str | None, since: datetime, most: int, *, lines: bool) -> None:
    """Prints the newest first. `lines`: one JSON object each."""
    tenants = [tenant] if tenant else list(settings.tenants)
    try:
        async with visit(settings.store) as connection:
            found = await find_failures(connection, tenants, since, most)
            await note(connection, "failures", (f.tenant for f in found), {"since": since})
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if lines:
        print_lines({**asdict(failure), "redrive": redrive(failure)} for failure in found)
    elif not found:
        console().print(f"nothing failed, was refused or is held since {since:%Y-%m-%d %H:%M} UTC")
    else:
        _show(found)


def redrive(failure: Failure) -> str:
    """The command to copy; its reason is for the operator to write."""
    return f'./hookledger redrive {failure.delivery} --activity {failure.activity} --reason "…"'


def _show(found: list[Failure]) -> None:
    out, now = console(), datetime.now(UTC)
    for failure in found:
        where = " → ".join(filter(None, (failure.hook, failure.application)))
        out.print(
            Text.assemble(
                (f"{failure.state:<8}", "yellow" if failure.state == "held" else "red"),
                (failure.activity, "bold"),
                printable(f" · {where} · {failure.login or failure.subject} of {failure.tenant} · "),
                f"attempt {failure.attempt}, {ago(failure.at, now)}",
            )
        )
        fault = (
            failure.fault or "nothing was said (a time-out or a lost worker): its effect may have happened"
        )
        out.print(Text("        " + printable(fault)[:400]))
        # Not folded: it must survive copy and paste.
        out.print(Text("        " + redrive(failure) + "\n", "cyan"), soft_wrap=True)
