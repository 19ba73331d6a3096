"""Puts together why a stored decision is as it is, from what the store keeps of it; nothing is evaluated again."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from hooks import by_name
from hooks.secrets import cut
from ledger.engine import Statements
from ledger.explained import Kept
from ledger.preview import find_clashes
from rules.changing import with_value
from rules.normal import login, unique_values
from runtime.masking import mask

Row = dict[str, Any]
_KINDS = {
    "enrich": None,
    "naming": None,
    "validate": None,
    "policy_map": "policyMap",
    "deprovision": "runDeprovision",
}
"""Kinds of rules in the order in which they speak; the hook of those that have but one."""
_DEEPEST = 512
"""Of what an answer set: as deep as any configuration lets a body be."""


@dataclass(frozen=True, slots=True)
class _Was:
    """A unique attribute as it was configured then."""

    attribute: str
    form: str
    statuses: tuple[str, ...]


@dataclass
class Why:
    """What is shown, and what --json prints. Values are masked but for names given and what the answer set."""

    delivery: Row
    erased: bool
    code: str | None = None
    rule: Row | None = None
    """The rule that refused, as it was."""
    words: str | None = None
    rules_kept: bool = True
    asked: list[str] = field(default_factory=list[str])
    """The rules that spoke on this hook then, with their modes."""
    unique: list[Row] = field(default_factory=list[Row])
    holds: list[Row] = field(default_factory=list[Row])
    names: list[Row] = field(default_factory=list[Row])
    set: Row | None = None
    findings: list[Row] = field(default_factory=list[Row])
    repeats: int = 0


async def explain(pool: Statements, kept: Kept) -> Why:
    """What is kept, put together. Raises one of ledger.engine.StoreErrors."""
    rules = kept.rules or {}
    codes = _codes(rules)
    refusing: list[str] = kept.delivery["codes"]
    first = next((name for name in codes if name in refusing), None)
    why = Why(kept.delivery, erased=kept.body is None, rules_kept=kept.rules is not None)
    if kept.delivery["verdict"] == "refused":
        why.code = codes.get(first or "")
    if first and first.startswith("rule:"):
        why.rule = next((r for r in _all_rules(rules) if r["name"] == first[5:]), None)
    why.asked = [
        f"{r['name']} ({r['mode']})" for r in _all_rules(rules) if kept.delivery["hook"] in _hooks_of(r)
    ]
    why.set = cut(json.loads(kept.patch), _DEEPEST) if kept.patch else None
    why.unique = [row async for row in _unique(pool, kept, rules)]
    why.holds = [{**hold, "value": mask(hold["value"])} for hold in kept.holds]
    why.names = kept.names
    why.findings = [
        {"outcome": e["outcome"], **e["detail"]}
        for e in kept.entries
        if e["outcome"].startswith("would ") or e["outcome"] == "rule fault"
    ]
    why.repeats = sum(e["outcome"] == "duplicate" for e in kept.entries)
    return why


def _codes(rules: Mapping[str, Any]) -> dict[str, str]:
    """Refusal codes by rule and unique attribute, in the order in which they go first."""
    written = rules.get("rules", {}).get("validate", [])
    found = {f"rule:{rule['name']}": rule["code"] for rule in written}
    return found | {unique["attribute"]: unique["code"] for unique in rules.get("unique", [])}


def _all_rules(rules: Mapping[str, Any]) -> Iterator[Row]:
    """Every rule that was not off, in the order in which they speak, with kind and mode."""
    written = rules.get("rules", {})
    for kind in _KINDS:
        for rule in written.get(kind, []):
            mode = rule.get("mode") or written.get("mode")
            if mode != "off":
                yield {**rule, "kind": kind, "mode": mode}


def _hooks_of(rule: Mapping[str, Any]) -> list[str]:
    only = _KINDS[rule["kind"]]
    return [only] if only else rule.get("on", [])


async def _unique(pool: Statements, kept: Kept, rules: Mapping[str, Any]) -> AsyncIterator[Row]:
    """Each unique value of the body as it was compared then, and who has it now."""
    hook = by_name().get(kept.delivery["hook"].lower())
    if kept.body is None or hook is None or not (hook.check or hook.whole_user):
        return
    user = json.loads(kept.body).get("request", {}).get("user", {})
    for path, value in json.loads(kept.patch or "{}").items():
        user = with_value(user, path, value)
    was = [_Was(u["attribute"], u["form"], tuple(u.get("statuses", ()))) for u in rules.get("unique", [])]
    values = sorted(unique_values(user, was, rules.get("region", "IN")))
    refused = set(kept.delivery["codes"])
    for entry in kept.entries:
        if entry["outcome"] == "would refuse" and "rule" not in entry["detail"]:
            refused.update(entry["detail"].get("attributes", ()))
    disputed = [value for value in values if value[0] in refused]
    found = await find_clashes(
        pool,
        kept.delivery["tenant"],
        disputed,
        hook.check or "update",
        UUID(kept.delivery["subject"]),
        login(user["login"]),
        timedelta(days=rules.get("leavers_release_days", 0)),
    )
    for attribute, value in values:
        now = [asdict(c) | {"value": mask(value)} for c in found if c.attribute == attribute]
        yield {
            "attribute": attribute,
            "normal_form": mask(value),
            "clashed": attribute in refused,
            "with": now,
        }
