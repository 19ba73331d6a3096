"""`try`: what a hook would be answered, and what each rule says of it; nothing is stored."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from api import body as bodies
from api.problems import Problem
from commands.ending import stop
from commands.output import as_json, console, printable
from commands.rehearsal import Call, Rehearsal, Unfit, rehearse, request_in
from decisions._registry import registry
from hooks import by_name
from hooks.facts import platform_id
from hooks.hook import Hook, Json
from hooks.secrets import CUT, TooDeep, cut, names_secret
from ledger.preview import Clash, preview
from ledger.receive import Receipt, Wish
from ledger.visit import OutOfReach, look
from rules.before import known_before
from rules.compiling import check_with, compile_rules
from rules.consulting import consult
from rules.decision import DecisionTools
from rules.kinds import CompiledRule, Deprovisioning, Validating
from rules.opinion import WOULD, Finding
from rules.policy import Policy
from rules.refreshing import refresh
from settings import Settings, Tenant, load_rules

_COLOURS = {
    "passes": "green", "refuses": "red", "sets": "cyan", "names": "cyan", "answers": "cyan", "removes": "red",
    "keeps": "green", "fault": "bold red", "applies not": "dim", "says nothing": "dim", "free": "green",
    "clashes": "red", "held": "red", "left": "yellow", "not compared": "yellow",
}  # fmt: skip
_FEW = 3
"""Names that are shown of those that would be tried."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given. `as_on`: rules in shadow are judged as if they were on."""

    hook: str
    body: str
    tenant: str | None = None
    rules: Path | None = None
    before: str | None = None
    as_on: bool = False


@dataclass
class Tried:
    """What is shown, and what --json prints."""

    hook: str
    tenant: str
    rules_hash: str
    store: str | None
    """Why the store was not asked; None if it was."""
    verdict: str = ""
    code: str | None = None
    rules: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unique: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    names: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answer: Json = field(default_factory=dict[str, Any])


async def run(settings: Settings, asked: Asked, *, as_object: bool) -> None:
    """Prints it. Raises typer.Exit with 1 for a refusal, and 2 for what cannot be tried."""
    hook = by_name().get(asked.hook.lower())
    if hook is None:
        stop(f"no hook {asked.hook}; there are {', '.join(h.name for h in by_name().values())}")
    tenant, policy = _policy(settings, asked)
    before = _request(Hook.PRE_UPDATE_USER, asked.before)["user"] if asked.before else None
    call = Call(hook, tenant, policy, _request(hook, asked.body), before)
    tried = await _try(settings, call)
    _hide(tried, call.request, settings.api.max_depth)
    if as_object:
        print(as_json(asdict(tried)))
    else:
        _show(tried)
    raise typer.Exit(1 if tried.verdict == "refused" else 0)


def _hide(tried: Tried, request: Json, most: int) -> None:
    """Cuts secrets out of what is shown: a body may hold them, and a rule may make one."""
    secret = any(names_secret(request.get(key)) for key in ("targetAttribute", "cymmetrifield"))
    try:
        tried.answer = dict.fromkeys(tried.answer, CUT) if secret else cut(tried.answer, most)
        for rule in tried.rules:
            rule["value"] = CUT if secret and rule["value"] is not None else cut(rule["value"], most)
    except TooDeep:
        stop("the body is nested too deeply: it would not be received")


async def _try(settings: Settings, call: Call) -> Tried:
    """Asks the store where it can; without it, the rules speak alone."""
    key = settings.fingerprint_key[:64]
    try:
        async with look(settings.store) as pool:
            policy, tenant = call.policy, call.tenant
            await refresh(pool, policy)
            if call.before is None and call.hook.name in policy.knowing:
                known = await known_before(
                    pool, policy.tenant, platform_id(call.user), call.user, tenant.region
                )
                call = Call(call.hook, tenant, policy, call.request, known)
            rehearsal = rehearse(call, key, await _consulted(settings, call))
            seen = await preview(pool, rehearsal.delivery)
            return _tried(rehearsal, seen.receipt, seen.clashes, None)
    except OutOfReach as wrong:
        rehearsal = rehearse(call, key, await _consulted(settings, call))
        return _tried(rehearsal, rehearsal.without_store(), (), str(wrong))


async def _consulted(settings: Settings, call: Call) -> Mapping[str, object] | None:
    rules = call.policy.python.get(call.hook.name)
    if not rules:
        return None
    async with httpx.AsyncClient(timeout=settings.api.deadline, follow_redirects=False) as http:
        return await consult(rules, call.asked, DecisionTools(http), call.tenant.rules.python_timeout)


def _policy(settings: Settings, asked: Asked) -> tuple[Tenant, Policy]:
    name = asked.tenant or next(iter(settings.tenants))
    if name not in settings.tenants:
        stop(f"no tenant {name}; configured are {', '.join(settings.tenants)}")
    if asked.tenant is None and len(settings.tenants) > 1:
        stop(f"--tenant: say whose rules; configured are {', '.join(settings.tenants)}")
    tenant = settings.tenants[name]
    decisions = registry()
    if asked.rules is not None:
        tenant = load_rules(asked.rules, name, tenant, check_with(decisions), tenant.rules.mode)
    if asked.as_on:
        tenant = switched_on(tenant)
    return tenant, compile_rules(name, tenant, decisions)


def switched_on(tenant: Tenant) -> Tenant:
    """The tenant with everything on that is in shadow."""
    rules = tenant.rules
    kinds: dict[str, Any] = {
        name: tuple(_on(rule) for rule in getattr(rules, name))
        for name in ("validate_", "enrich", "naming", "policy_map", "deprovision")
    }
    mode = "on" if rules.mode == "shadow" else rules.mode
    unique = tuple(_on(u) for u in tenant.unique)
    return tenant.model_copy(
        update={"unique": unique, "rules": rules.model_copy(update=kinds | {"mode": mode})}
    )


def _on(rule: Any) -> Any:
    return rule.model_copy(update={"mode": "on"}) if rule.mode == "shadow" else rule


def _request(hook: Hook, source: str) -> Json:
    try:
        return request_in(hook, _body(source))
    except Unfit as wrong:
        stop(f"{source}: {wrong}")


def _body(source: str) -> Json:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return bodies.parse(raw)
    except OSError as wrong:
        stop(f"{source}: cannot be read: {wrong.strerror}")
    except Problem as wrong:
        stop(f"{source}: {wrong.detail}")


def _tried(rehearsal: Rehearsal, receipt: Receipt, clashes: Sequence[Clash], without: str | None) -> Tried:
    call, opinion = rehearsal.call, rehearsal.question.opinion
    rules = call.policy.by_hook.get(call.hook.name, ())
    given = list(receipt.names) or [None] * len(opinion.wishes)
    return Tried(
        hook=call.hook.name,
        tenant=call.policy.tenant,
        rules_hash=call.policy.hash,
        store=without,
        verdict=receipt.verdict,
        code=rehearsal.code(receipt),
        rules=[_rule(r, f) for r, f in zip(rules, opinion.findings, strict=True)],
        unique=[
            _unique(call.policy, attribute, form, clashes, without)
            for attribute, form in (rehearsal.delivery.values if call.hook.check else ())
        ],
        names=[_named(w, n, receipt, without) for w, n in zip(opinion.wishes, given, strict=True)],
        answer=rehearsal.answer(receipt),
    )


def _rule(rule: CompiledRule, finding: Finding) -> dict[str, Any]:
    value = finding.value
    if isinstance(value, Wish):
        value = _tries(value)
    return {
        "rule": finding.rule,
        "kind": finding.kind,
        "mode": finding.mode,
        "verdict": finding.verdict,
        "code": finding.code,
        "why": finding.words or _because(rule, finding),
        "attributes": list(finding.attributes),
        "value": value,
    }


def _because(rule: CompiledRule, finding: Finding) -> str:
    """The expression that decided, where the finding needs no other words."""
    if finding.verdict == "applies not":
        return rule.when.text if rule.when else ""
    if isinstance(rule, Validating) and rule.refuse:
        return rule.refuse.text
    if isinstance(rule, Deprovisioning):
        expression = rule.keep or rule.remove
        return expression.text if expression else ""
    return ""


def _tries(wish: Wish) -> list[str]:
    last = wish.stems[-1]
    plain = [f"{s.before}{s.after}" for s in wish.stems]
    return [*plain, *(f"{last.before}{n}{last.after}" for n in range(2, 2 + _FEW))][: max(_FEW, len(plain))]


def _unique(
    policy: Policy, attribute: str, form: str, clashes: Sequence[Clash], without: str | None
) -> dict[str, Any]:
    found = [c for c in clashes if c.attribute == attribute]
    verdict = "not compared" if without else "free"
    if found:
        verdict = "held" if found[0].held_until else "clashes"
    return {
        "attribute": attribute,
        "normal_form": form,
        "mode": "shadow" if attribute in policy.shadowed else "on",
        "verdict": verdict,
        "code": policy.code_of(attribute) if found else None,
        "with": [
            {"subject": c.subject, "since": c.since, "left": c.left, "held_until": c.held_until}
            for c in found
        ],
    }


def _named(wish: Wish, name: str | None, receipt: Receipt, without: str | None) -> dict[str, Any]:
    if without:
        words = f"would try {', '.join(_tries(wish))} …"
    elif receipt.verdict == "refused":
        words = "no name is sought for a refusal"
    else:
        words = "" if name is not None else f"nothing is free; tried {', '.join(_tries(wish))} …"
    return {"rule": wish.rule, "attribute": wish.attribute, "name": name, "words": words}


def _show(tried: Tried) -> None:
    out = console()
    out.print(Text.assemble((tried.hook, "bold"), f" · {tried.tenant} · rules {tried.rules_hash}\n"))
    if tried.rules:
        out.print(_rules_table(tried.rules), "")
    else:
        out.print(Text("no rule speaks on this hook\n", "dim"))
    if tried.unique:
        out.print(_unique_table(tried.unique), "")
    for named in tried.names:
        words = named["words"] or f"would be {printable(named['name'])}"
        out.print(Text.assemble((named["attribute"], "bold"), f" by {named['rule']}: {printable(words)}\n"))
    if tried.store:
        out.print(
            Text(f"{tried.store}\nSo unique values were not compared, and no name was sought.\n", "yellow")
        )
    bad = tried.verdict in ("refused", "undecided", "braked")
    code = f" with {tried.code}" if tried.code else ""
    out.print(Text.assemble("would be ", (tried.verdict + code, "bold red" if bad else "bold green")))
    out.print(JSON(json.dumps({"response": tried.answer}, ensure_ascii=False), ensure_ascii=False))


def _rules_table(rules: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rule", "mode", "verdict", "code"):
        table.add_column(name, no_wrap=True)
    table.add_column("why, what it sets", overflow="fold")
    for rule in rules:
        table.add_row(
            rule["rule"],
            _mode(rule["mode"]),
            Text(_verdict(rule), _COLOURS.get(rule["verdict"], "")),
            rule["code"] or "",
            Text(_sets(rule)) if rule["value"] is not None else Text(printable(rule["why"]), "dim"),
        )
    return table


def _mode(mode: str) -> Text:
    return Text(mode, "" if mode == "on" else "yellow")


def _verdict(rule: Mapping[str, Any]) -> str:
    verdict: str = rule["verdict"]
    return WOULD.get(verdict, verdict) if rule["mode"] == "shadow" else verdict


def _sets(rule: Mapping[str, Any]) -> str:
    match rule["verdict"]:
        case "sets":
            return printable(", ".join(f"{path} = {as_json(value)}" for path, value in rule["value"].items()))
        case "names":
            return printable(f"{rule['attributes'][0]} = {rule['value'][0]} …")
        case _:
            return printable(as_json(rule["value"]))


def _unique_table(unique: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("unique", "mode", "verdict", "code"):
        table.add_column(name, no_wrap=True)
    for name in ("compared as", "with"):
        table.add_column(name, overflow="fold")
    for row in unique:
        table.add_row(
            row["attribute"],
            _mode(row["mode"]),
            Text(row["verdict"], _COLOURS[row["verdict"]]),
            row["code"] or "",
            printable(row["normal_form"]),
            Text("\n".join(_with(c) for c in row["with"])),
        )
    return table


def _with(clash: Mapping[str, Any]) -> str:
    if clash["held_until"]:
        return f"{clash['subject']}, who holds it until {clash['held_until'][:16]}Z"
    since = f", last told {clash['since'][:16]}Z" if clash["since"] else ""
    return f"{clash['subject']}{since}" + (", who has left" if clash["left"] else "")
