"""Compiles the rules of a tenant, and finds every mistake in them at once."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rules.decision import PythonDecision
from rules.expressions import Dialect, Expression, Pattern, Result, Wrong
from rules.kinds import Answering, CompiledRule, Deprovisioning, Enriching, NamingRule, Validating
from rules.policy import Policy
from settings import Settings, Tenant
from settings.mistakes import Inside, Mistake, Where
from settings.rules import DeprovisionRule, Enrich, Lookup, Mode, Naming, PolicyMap, Rule, Validate

HOOKS = (
    "validateUser",
    "validateUpdateUser",
    "preCreateUser",
    "preUpdateUser",
    "policyMap",
    "runDeprovision",
)
"""The hooks that rules speak on."""

ORDER = ("enrich", "naming", "validate", "policy_map", "deprovision")
"""Rules of a kind speak before those of the next: what is set is validated."""

_DECIDES = {
    "region", "unique", "hold_seconds", "leavers_release_days", "deprovision", "answer_shape", "degraded",
}  # fmt: skip
"""Of a tenant's settings what decides, by name: others hold secrets, and this text is kept for good."""

Decisions = Mapping[str, PythonDecision]


def compile_all(settings: Settings, decisions: Decisions) -> dict[str, Policy]:
    """Every tenant's policy. The configuration was loaded with `check_with(decisions)`, so nothing can be wrong."""
    return {name: compile_rules(name, tenant, decisions) for name, tenant in settings.tenants.items()}


def check_with(decisions: Decisions) -> Callable[[str, Tenant], Iterator[Mistake]]:
    """For settings.load: the mistakes in a tenant's rules, their places relative to the tenant's table."""

    def check(name: str, tenant: Tenant) -> Iterator[Mistake]:
        compiler = _Compiler(name, tenant, decisions)
        compiler.policy()
        yield from compiler.mistakes

    return check


def compile_rules(name: str, tenant: Tenant, decisions: Decisions) -> Policy:
    """One tenant's policy. Raises ValueError with the first mistake."""
    compiler = _Compiler(name, tenant, decisions)
    policy = compiler.policy()
    for where, words in compiler.mistakes:
        raise ValueError(
            f"tenant {name}: {'.'.join(str(p) for p in where if not isinstance(p, Inside))}: {words}"
        )
    return policy


class _Compiler:
    def __init__(self, name: str, tenant: Tenant, decisions: Decisions) -> None:
        self.name = name
        self.tenant = tenant
        self.rules = tenant.rules
        self.decisions = decisions
        self.mistakes: list[Mistake] = []
        self.tables: dict[str, Mapping[str, str]] = {
            table: self._table(table, source) for table, source in self.rules.tables.items()
        }
        self.dialect = Dialect(
            region=tenant.region,
            zone=ZoneInfo(self.rules.zone),
            custom=self.rules.attributes,
            tables=self.tables,
            hooks=HOOKS,
        )
        self._never = self.dialect.compile("false", ("validateUser",), "bool")

    def policy(self) -> Policy:
        made: dict[str, list[CompiledRule]] = {hook: [] for hook in HOOKS}
        codes: dict[str, str] = {}
        for kind in ORDER:
            for place, rule in enumerate(self.rules.of_kind(kind)):
                mode = rule.mode or self.rules.mode
                compiled = self._rule(rule, kind, mode, ("rules", kind, place))
                if mode != "off":
                    for hook in compiled.on:
                        made[hook].append(compiled)
                if isinstance(rule, Validate):
                    codes[f"rule:{rule.name}"] = rule.code
        uniques = tuple(u for u in self.tenant.unique if self._mode_of(u.mode) != "off")
        codes |= {u.attribute: u.code for u in self.tenant.unique}
        text = self._text()
        return Policy(
            tenant=self.name,
            hash=hashlib.sha256(text.encode()).hexdigest()[:16],
            text=text,
            dialect=self.dialect,
            uniques=uniques,
            shadowed=tuple(u.attribute for u in uniques if self._mode_of(u.mode) == "shadow"),
            by_hook={hook: tuple(rules) for hook, rules in made.items()},
            codes=codes,
            knowing=frozenset(
                hook
                for hook, rules in made.items()
                if any(e.reads_before for r in rules for e in r.expressions())
            ),
            asks=frozenset(
                number
                for number in ("people", "holders")
                for rules in made.values()
                if any(f"{number}(" in e.text for r in rules for e in r.expressions())
            ),
            stored_tables=tuple(name for name, source in self.rules.tables.items() if source.store),
            python={hook: tuple(r for r in rules if r.decision) for hook, rules in made.items()},
        )

    def _mode_of(self, mode: Mode | None) -> Mode:
        return mode or self.rules.mode

    def _rule(self, rule: Rule, kind: str, mode: Mode, where: Where) -> CompiledRule:
        """The compiled rule; where a text is wrong, an expression that is never true stands in its place."""
        on = self._hooks_of(rule)
        common: dict[str, Any] = {"name": rule.name, "kind": kind, "mode": mode, "on": frozenset(on)}
        common["when"] = self._optional(rule.when, on, "bool", (*where, "when"))
        python: str | None = getattr(rule, "python", None)
        if python is not None and python not in self.decisions:
            known = ", ".join(self.decisions) or "none yet"
            self.mistakes.append(
                ((*where, "python"), f"there is no decision {python} in decisions/; there are {known}")
            )
        common["decision"] = self.decisions.get(python or "")
        match rule:
            case Validate():
                return Validating(
                    **common,
                    code=rule.code,
                    refuse=self._optional(rule.refuse, on, "bool", (*where, "refuse")),
                    required=rule.required or (),
                    patterns=tuple(
                        (path, self._pattern(regex, (*where, "pattern", path)))
                        for path, regex in (rule.pattern or {}).items()
                    ),
                )
            case Enrich():
                sets = (rule.set or {}).items()
                return Enriching(
                    **common,
                    sets=tuple((p, self._text_of(t, on, "any", (*where, "set", p))) for p, t in sets),
                    overwrite=rule.overwrite,
                )
            case Naming():
                return self._naming(rule, on, where, common)
            case PolicyMap():
                return Answering(
                    **common,
                    target=rule.target.lower(),
                    application=rule.application,
                    gives=self._optional(rule.value, on, "any", (*where, "value")),
                )
            case DeprovisionRule():
                return Deprovisioning(
                    **common,
                    remove=self._optional(rule.remove, on, "bool", (*where, "remove")),
                    keep=self._optional(rule.keep, on, "bool", (*where, "keep")),
                )
            case _:
                raise TypeError(kind)

    def _naming(
        self, rule: Naming, on: tuple[str, ...], where: Where, common: dict[str, Any]
    ) -> CompiledRule:
        form = next((u.form for u in self.tenant.unique if u.attribute == rule.attribute), None)
        if form is None:
            known = ", ".join(u.attribute for u in self.tenant.unique)
            words = f"must be one of the tenant's unique attributes, which are {known}"
            self.mistakes.append(((*where, "attribute"), words))
        return NamingRule(
            **common,
            attribute=rule.attribute,
            form=form or "text",
            patterns=tuple(
                self._text_of(text, on, "text", (*where, "patterns", place))
                for place, text in enumerate(rule.patterns)
            ),
            ascii=rule.ascii,
            overwrite=rule.overwrite,
            person=self._optional(rule.person, on, "text", (*where, "person")),
            region=self.tenant.region,
        )

    def _hooks_of(self, rule: Rule) -> tuple[str, ...]:
        if isinstance(rule, PolicyMap):
            return ("policyMap",)
        if isinstance(rule, DeprovisionRule):
            return ("runDeprovision",)
        return getattr(rule, "on", ())

    def _optional(
        self, text: str | None, on: tuple[str, ...], result: Result, where: Where
    ) -> Expression | None:
        return None if text is None else self._text_of(text, on, result, where)

    def _text_of(self, text: str, on: tuple[str, ...], result: Result, where: Where) -> Expression:
        try:
            return self.dialect.compile(text, on, result)
        except Wrong as wrong:
            self.mistakes += [((*where, Inside(line, column)), words) for line, column, words in wrong.found]
            return self._never

    def _pattern(self, regex: str, where: Where) -> Pattern:
        try:
            return Pattern(regex)
        except ValueError as wrong:
            self.mistakes.append((where, str(wrong)))
            return Pattern("")

    def _table(self, name: str, source: Lookup) -> Mapping[str, str]:
        if source.rows is not None:
            return source.rows
        if source.csv is None:
            return {}
        try:
            return rows_of(source.csv, source.key, source.value)
        except (OSError, ValueError, csv.Error) as wrong:
            self.mistakes.append((("rules", "tables", name, "csv"), str(wrong)))
            return {}

    def _text(self) -> str:
        """What the hash stands for: everything that decides, in one canonical text, tables by their digest."""
        rules = self.rules.model_dump(mode="json", by_alias=True, exclude={"include", "tables"})
        tables = {
            name: hashlib.sha256(json.dumps(sorted(rows.items())).encode()).hexdigest()
            for name, rows in self.tables.items()
        }
        whole = self.tenant.model_dump(mode="json", include=_DECIDES) | {
            "rules": rules,
            "tables": tables,
        }
        return json.dumps(whole, sort_keys=True, separators=(",", ":"))


def rows_of(path: Path, key: str, value: str) -> dict[str, str]:
    """A CSV file's two columns. Raises ValueError, naming the row, never what is in it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for column in (key, value):
            if column not in (reader.fieldnames or ()):
                raise ValueError(f"{path} has no column {column}: name it with key = and value =")
        rows: dict[str, str] = {}
        for row in reader:
            if row[key] in rows:
                raise ValueError(f"{path}:{reader.line_num}: the key stands there a second time")
            rows[row[key]] = row[value] or ""
        return rows
