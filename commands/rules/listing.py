"""`rules list`: every rule of every tenant, and where it stands."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from commands.ending import stop
from commands.output import console, print_lines, printable
from decisions._registry import registry
from rules.compiling import ORDER, check_with
from settings import Tenant, load_tenants, rule_places
from settings.rules import DeprovisionRule, Enrich, Naming, PolicyMap, Rule, Validate

_COLOURS = {"shadow": "yellow", "off": "dim"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule."""

    tenant: str
    rule: str
    kind: str
    mode: str
    hooks: list[str]
    when: str | None
    does: str
    place: str


def run(tenant: str | None, *, lines: bool) -> None:
    """Prints them in the order in which they speak; `lines`: one JSON object each. Raises settings.ConfigError."""
    tenants = load_tenants(None, check_with(registry()))
    if tenant is not None and tenant not in tenants:
        stop(f"no tenant {tenant}; configured are {', '.join(tenants)}")
    rows = [row for name, table in tenants.items() if tenant in (None, name) for row in listed(name, table)]
    if lines:
        print_lines(asdict(row) for row in rows)
    elif not rows:
        console().print("no rules are written")
    else:
        _show(rows)


def listed(name: str, tenant: Tenant) -> Iterator[Listed]:
    """A tenant's rules, and its unique attributes behind them."""
    places = rule_places()
    for kind in ORDER:
        for rule in tenant.rules.of_kind(kind):
            place = places[name, rule.name]
            yield Listed(
                name,
                rule.name,
                kind,
                rule.mode or tenant.rules.mode,
                _hooks(rule),
                rule.when,
                _does(rule),
                f"{place.file}:{place.line}",
            )
    for unique in tenant.unique:
        hooks = ["validateUser", "validateUpdateUser", "preCreateUser", "preUpdateUser"]
        mode = unique.mode or tenant.rules.mode
        does = f"refuses with {unique.code} who shares it, as {unique.form}"
        yield Listed(name, unique.attribute, "unique", mode, hooks, None, does, "")


def _hooks(rule: Rule) -> list[str]:
    match rule:
        case PolicyMap():
            return ["policyMap"]
        case DeprovisionRule():
            return ["runDeprovision"]
        case _:
            return list(getattr(rule, "on", ()))


def _does(rule: Rule) -> str:
    """In a few words what the rule does, its expressions as they are written."""
    python: str | None = getattr(rule, "python", None)
    asks = f"decisions/{python}.py" if python else ""
    match rule:
        case Validate():
            return f"refuses with {rule.code} {asks or _refuses(rule)}"
        case Enrich():
            return asks or ", ".join(f"{path} = {text}" for path, text in (rule.set or {}).items())
        case Naming():
            return f"{rule.attribute} = the first free of {', '.join(rule.patterns)}"
        case PolicyMap():
            of = f" of {rule.application}" if rule.application else ""
            return f"{rule.target}{of} = {asks or rule.value}"
        case DeprovisionRule():
            return f"keeps if {rule.keep}" if rule.keep else f"removes if {asks or rule.remove}"
        case _:
            return ""


def _refuses(rule: Validate) -> str:
    if rule.required:
        return f"who lacks {', '.join(rule.required)}"
    if rule.pattern:
        return "what does not match " + ", ".join(f"{path}: {regex}" for path, regex in rule.pattern.items())
    return f"if {rule.refuse}"


def _show(rows: list[Listed]) -> None:
    out = console()
    for name in dict.fromkeys(row.tenant for row in rows):
        out.print(Text(name, "bold"))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("rule", "mode", "hooks"):
            table.add_column(column, no_wrap=column == "mode", overflow="fold")
        table.add_column("does", overflow="fold")
        for row in (row for row in rows if row.tenant == name):
            table.add_row(
                Text.assemble(
                    row.rule, (f"\n{short(row.place) or 'unique attribute'}", "cyan" if row.place else "dim")
                ),
                Text(row.mode, _COLOURS.get(row.mode, "green")),
                "\n".join(row.hooks) if row.kind != "unique" else "every check",
                Text(printable(f"{row.does}{_only(row.when)}")),
            )
        out.print(table, "")


def short(place: str) -> str:
    """A place from where one stands."""
    return place.removeprefix(f"{Path.cwd()}/")


def _only(when: Any) -> str:
    return f", when {when}" if when else ""
