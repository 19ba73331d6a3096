"""`rules report`: whom the rules in shadow would have refused or changed, and why; so that they are switched on with open eyes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from commands.rules.listing import Listed, listed, short
from commands.times import ago
from ledger.findings import Count, count_findings
from ledger.visit import OutOfReach, visit
from settings import Settings

_FEW = 5


async def run(
    settings: Settings, tenant: str | None, rule: str | None, since: datetime, *, lines: bool
) -> None:
    """Prints it by tenant and rule; `lines`: one JSON object for each rule and outcome."""
    if tenant is not None and tenant not in settings.tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(settings.tenants)}")
    tenants = [tenant] if tenant else list(settings.tenants)
    configured = [row for name in tenants for row in listed(name, settings.tenants[name])]
    if rule is not None:
        configured = [row for row in configured if row.rule == rule]
    try:
        async with visit(settings.store) as connection:
            found = await count_findings(connection, tenants, since, rule, _FEW)
    except OutOfReach as wrong:
        stop(f"{wrong}")
    if lines:
        print_lines({**asdict(count), "mode": _mode(count, configured)} for count in found)
        return
    if rule is not None and not found and not configured:
        stop(
            f"no rule {rule} is configured, and none of that name found anything; ./hookledger rules list has them"
        )
    out = console()
    for text in _report(found, configured, since, datetime.now(UTC)):
        out.print(text, soft_wrap=True)


def _mode(count: Count, configured: Sequence[Listed]) -> str | None:
    """The rule's mode today; None if it is gone."""
    row = _row(count, configured)
    return row.mode if row else None


def _row(count: Count, configured: Sequence[Listed]) -> Listed | None:
    return next(
        (
            row
            for row in configured
            if (row.tenant, row.rule, row.kind == "unique") == (count.tenant, count.rule, count.unique)
        ),
        None,
    )


def _report(
    found: Sequence[Count], configured: Sequence[Listed], since: datetime, now: datetime
) -> Iterator[Text]:
    for count in found:
        yield from _one(count, _row(count, configured), now)
    spoke = {(count.tenant, count.rule) for count in found}
    quiet = [r for r in configured if r.mode == "shadow" and (r.tenant, r.rule) not in spoke]
    if quiet:
        names = ", ".join(f"{row.rule} of {row.tenant}" for row in quiet)
        yield Text.assemble(("in shadow, and would have changed nothing", "green"), f": {names}\n")
    if not found and not quiet:
        yield Text("no rule is in shadow, and none went wrong")
        return
    yield Text(f"since {since:%Y-%m-%d %H:%M} UTC. What to do:", "bold")
    if found:
        example = found[0].newest[0]["receipt"]
        yield Text.assemble("  look at one     ", (f"./hookledger why {example}", "cyan"))
    shadows = [r for r in configured if r.mode == "shadow"]
    if shadows:
        row = shadows[0]
        where = f" in {short(row.place)}" if row.place else f" in its place in unique = […] of {row.tenant}"
        yield Text.assemble(
            "  switch one on   ",
            ('mode = "on"', "cyan"),
            f" for {row.rule}{where}, then ./hookledger config check",
        )


def _one(count: Count, row: Listed | None, now: datetime) -> Iterator[Text]:
    share = f" of {count.calls} {' and '.join(count.hooks)}" if count.calls else ""
    people = f"{count.people} {'person' if count.people == 1 else 'people'}"
    what = "unique " if count.unique else ""
    mode = f" · {row.mode} today" if row else " · not configured today"
    yield Text.assemble(
        f"{what}",
        (count.rule, "bold"),
        f" of {count.tenant} · ",
        (_outcome(count), "bold red" if count.outcome == "rule fault" else "yellow"),
        f" {count.times}{share}, {people}",
        (mode, "dim"),
        (f" · {short(row.place)}" if row and row.place else "", "cyan"),
    )
    if row:
        yield Text(
            f"    {printable(row.does)}" + (f", when {printable(row.when)}" if row.when else ""), "dim"
        )
    for one in count.newest:
        why = " ".join(filter(None, (one["code"], one["words"])))
        at = datetime.fromisoformat(one["at"])
        yield Text.assemble(
            f"    {ago(at, now):<14}{printable(_person(one)):<24} ",
            (f"{one['receipt']}", "cyan"),
            f"  {printable(why)}",
        )
    if count.times > len(count.newest):
        yield Text(f"    and {count.times - len(count.newest)} more", "dim")
    yield Text()


def _outcome(count: Count) -> str:
    return "went wrong" if count.outcome == "rule fault" else f"would have {_PAST[count.outcome]}"


_PAST = {
    "would refuse": "refused", "would set": "set", "would name": "named", "would answer": "answered",
    "would remove": "removed", "would keep": "kept",
}  # fmt: skip


def _person(one: dict[str, Any]) -> str:
    return one["login"] or str(one["subject"] or "nobody")
