"""The doctor's report for a person at a terminal."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commands.doctor.findings import Check, Report, State, Step, TenantReport
from commands.output import printable
from commands.times import ago, duration
from ledger.overview import WINDOW, Refusal, Standing

_SIGNS: dict[State, tuple[str, str]] = {
    "fine": ("✓", "green"),
    "note": ("!", "yellow"),
    "wrong": ("✗", "red"),
}
_MOST_REFUSALS = 5
_MODES = {"on": "on", "shadow": "in shadow", "off": "off"}


def show(out: Console, report: Report) -> None:
    """Prints the report."""
    out.print()
    out.print(_checks(report.checks))
    for tenant in report.tenants:
        out.print()
        out.print(_tenant(tenant, report))
    if report.strangers.refusals:
        out.print()
        title = Text("calls that named no configured tenant", "bold")
        out.print(Panel(_refusals(report.strangers, report), title=title, title_align="left"))
    out.print()
    if report.fine:
        out.print(Text("Nothing is wrong.", "bold green"))
    else:
        out.print(Text("Something is wrong: see the lines with ✗.", "bold red"))


def _checks(checks: Iterable[Check]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=9)
    table.add_column(overflow="fold")
    for check in checks:
        sign, style = _SIGNS[check.state]
        words = Text(printable(check.words))
        if check.remedy and check.state != "fine":
            words.append("\n" + check.remedy, style)
        table.add_row(Text(sign, style), Text(check.name, "bold"), words)
    return table


def _tenant(tenant: TenantReport, report: Report) -> Panel:
    parts: list[RenderableType] = [_facts(tenant, report)]
    if tenant.standing is not None:
        parts += ["", _checks(tenant.checks)]
        if tenant.standing.refusals:
            parts += ["", Text("Last calls turned away", "bold"), _refusals(tenant.standing, report)]
    if tenant.next:
        parts += ["", Text("What to do next", "bold"), *_steps(tenant.next)]
    title = Text.assemble("tenant ", (tenant.name, "bold"))
    return Panel(Group(*parts), title=title, title_align="left", padding=(0, 1))


def _facts(tenant: TenantReport, report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", width=14)
    table.add_column(overflow="fold")
    keys = ", ".join(f"{key.name} ({key.encoding})" for key in tenant.keys)
    count = f"{len(tenant.keys)} {'key' if len(tenant.keys) == 1 else 'keys'}: " if keys else "no key"
    proof = "; else proof by use" if tenant.proof else ""
    table.add_row("tenantId", Text(tenant.tenant_id))
    table.add_row("tokens", Text(f"{tenant.algorithm}, {count}{keys}{proof}"))
    table.add_row("runDeprovision", Text(f"answered by: {tenant.deprovision}"))
    table.add_row("rules", Text(", ".join(f"{n} {_MODES[mode]}" for mode, n in tenant.rules.items())))
    if tenant.standing is None:
        table.add_row("ledger", Text("not known while the store cannot be used", "dim"))
        return table
    table.add_row("known users", f"{tenant.standing.known_users:,}")
    table.add_row("hooks seen", _seen(tenant.standing, report))
    table.add_row("never seen", Text(", ".join(tenant.never_seen) or "none: all have come"))
    return table


def _seen(standing: Standing, report: Report) -> Text:
    shown = Text()
    for name, hook in sorted(standing.hooks.items(), key=lambda item: item[1].last, reverse=True):
        shown.append(", " if shown else "")
        short = duration((report.at - hook.last).total_seconds())
        shown.append(name).append(f" {hook.count:,}× ({short})", "dim")
    if sum(hook.count for hook in standing.hooks.values()) >= WINDOW:
        shown.append(f"; of the newest {WINDOW:,}", "dim")
    return shown or Text("none", "dim")


def _refusals(standing: Standing, report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for words, refusal, times in _runs(standing.refusals)[:_MOST_REFUSALS]:
        often = f" (and {times - 1} more like it)" if times > 1 else ""
        table.add_row(ago(refusal.at, report.at), f"{refusal.hook} {refusal.status}", Text(words + often))
    return table


def _runs(refusals: tuple[Refusal, ...]) -> list[tuple[str, Refusal, int]]:
    """One line for neighbours that say the same of the same hook; the newest stands for all."""
    runs: list[tuple[str, Refusal, int]] = []
    for refusal in refusals:
        words = printable(refusal.words)
        if runs and (runs[-1][0], runs[-1][1].hook) == (words, refusal.hook):
            runs[-1] = (words, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((words, refusal, 1))
    return runs


def _steps(steps: tuple[Step, ...]) -> Iterable[RenderableType]:
    for number, step in enumerate(steps, 1):
        line = Table.grid(padding=(0, 1))
        line.add_column(width=2)
        line.add_column(overflow="fold")
        line.add_row(f"{number}.", Text(step.text))
        yield line
        if step.fields:
            fields = Table.grid(padding=(0, 2))
            for name, value in step.fields.items():
                fields.add_row(Text(name, "cyan"), Text(value))
            yield Padding(fields, (0, 0, 0, 4))
