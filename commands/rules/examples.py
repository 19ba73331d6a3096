"""Runs one file of examples: each against its own memory of people, and says what was got for what was expected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands.rehearsal import Call, Rehearsal, Unfit, rehearse, request_in
from commands.trying import switched_on
from decisions._registry import registry
from hooks import by_name
from hooks.facts import platform_id
from hooks.hook import Json
from ledger.receive import Receipt
from rules.compiling import check_with, compile_rules
from rules.expressions import Counts
from rules.memory import Memory
from rules.normal import login, value_at
from rules.opinion import WOULD
from rules.policy import Policy
from settings import Tenant, load_rules, load_tenants, wrong_at
from settings.examples import Example, Examples, Expected, Sending, load_examples, tenant_alone
from settings.mistakes import Mistake
from settings.places import Places

_KEY = b"examples"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one example went. Each of `wrong` is what was looked at, what was expected, and what was got."""

    file: str
    line: int
    name: str
    wrong: list[tuple[str, Any, Any]]
    verdict: str = ""
    code: str | None = None
    said: list[str] = field(default_factory=list[str])
    """What each rule said that had something to say."""


class Table:
    """One file of examples, ready to be run. Raises settings.ConfigError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.examples, self._places = load_examples(path)
        known = ", ".join(hook.name for hook in by_name().values())
        unknown: list[Mistake] = [
            (("example", place, "hook"), f"is no hook; there are {known}")
            for place, example in enumerate(self.examples.example)
            if example.hook.lower() not in by_name()
        ]
        if unknown:
            raise wrong_at(self._places, unknown)
        name, tenant = _tenant(path, self.examples, self._places)
        self.tenant = switched_on(tenant) if self.examples.mode == "on" else tenant
        self.policy = compile_rules(name, self.tenant, registry())

    def __len__(self) -> int:
        return len(self.examples.example)

    def run(self) -> Iterator[Outcome]:
        """Each example, in order."""
        for place, example in enumerate(self.examples.example):
            line = self._places.place((("example", place), "")).line
            yield self._run(example, line)

    def _run(self, example: Example, line: int) -> Outcome:
        file = str(self.path)
        memory = _Remembered(self.tenant, self.policy)
        now = self._moment(example, None)
        for name, rows in self.examples.tables.items():
            self.policy.dialect.tables[name] = rows
        known = (*self.examples.known, *example.known)
        people = len(known) if example.people is None else example.people
        self.policy.dialect.counts = Counts(people, example.holders)
        try:
            for user in known:
                memory.call(self._filled("postCreateUser", user, {}), now)
            for sending in example.first:
                memory.call(self._of(sending), self._moment(sending, now))
            rehearsal, receipt = memory.call(self._of(example), now, example.before, example.said)
            would = memory.would
        except Unfit as unfit:
            return Outcome(file, line, example.name, [("body", "what the hook sends", str(unfit))])
        return Outcome(
            file,
            line,
            example.name,
            list(_wrong(example.expect, rehearsal, receipt, would)),
            receipt.verdict,
            rehearsal.code(receipt),
            list(_said(rehearsal, receipt)),
        )

    def _moment(self, sending: Sending, otherwise: datetime | None) -> datetime:
        now = sending.now or otherwise or self.examples.now or datetime.now(UTC)
        return now if now.tzinfo else now.replace(tzinfo=UTC)

    def _of(self, sending: Sending) -> tuple[str, Json]:
        return self._filled(sending.hook, sending.user, sending.request)

    def _filled(self, hook: str, user: Json, request: Json) -> tuple[str, Json]:
        return hook, {**request, "user": {**self.examples.user, **user, **request.get("user", {})}}


class _Remembered:
    """A memory, and how a call is decided with it."""

    def __init__(self, tenant: Tenant, policy: Policy) -> None:
        self._tenant, self._policy = tenant, policy
        self._memory = Memory()
        self._users: dict[object, Json] = {}

    @property
    def would(self) -> list[str]:
        """Unique attributes in shadow that clashed in the last call."""
        return self._memory.would

    def call(
        self,
        sent: tuple[str, Json],
        now: datetime,
        before: Json | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> tuple[Rehearsal, Receipt]:
        """Decides and remembers. Raises Unfit."""
        hook = by_name().get(sent[0].lower())
        if hook is None:
            raise Unfit(
                f"there is no hook {sent[0]}; there are {', '.join(h.name for h in by_name().values())}"
            )
        request = request_in(hook, {"request": sent[1]})
        user: Json = request.get("user") or {}
        if before is None and user:
            subject = self._memory.subject_of(platform_id(user), login(user["login"]))
            before = self._users.get(subject)
        call = Call(hook, self._tenant, self._policy, request, before, now)
        rehearsal = rehearse(call, _KEY, said)
        receipt = self._memory.receive(rehearsal.delivery, now)
        if hook.whole_user:
            self._users[receipt.subject] = user
        return rehearsal, receipt


def _tenant(path: Path, examples: Examples, places: Places) -> tuple[str, Tenant]:
    """Whose rules are tested: a configured tenant's, or those of a file that stands alone."""
    check = check_with(registry())
    if isinstance(examples.tenant, dict) or (examples.tenant is None and examples.rules):
        name, tenant = "alone", tenant_alone(path, places, examples.tenant or {})
    else:
        tenants = load_tenants(None, check)
        name = examples.tenant or next(iter(tenants))
        if name not in tenants or (examples.tenant is None and len(tenants) > 1):
            where = ("tenant",) if examples.tenant else ()
            raise wrong_at(places, [(where, f"must be one of {', '.join(tenants)}, as configured")])
        tenant = tenants[name]
    if examples.rules:
        file = path.parent / examples.rules
        # What stands alone is written to decide.
        tenant = load_rules(file, name, tenant, check, "on" if name == "alone" else tenant.rules.mode)
    return name, tenant


def _wrong(
    expect: Expected, rehearsal: Rehearsal, receipt: Receipt, shadowed: list[str]
) -> Iterator[tuple[str, Any, Any]]:
    code, answer = rehearsal.code(receipt), rehearsal.answer(receipt)
    if expect.passed is not None and expect.passed is (receipt.verdict == "refused"):
        yield "passed", expect.passed, f"refused with {code}" if code else receipt.verdict
    if expect.refused is not None and expect.refused != code:
        yield "refused", expect.refused, code or receipt.verdict
    if expect.data is not None:
        yield from _wrong_data(expect.data, answer)
    if expect.mapped is not None and expect.mapped != answer.get("mappedValue"):
        yield "mapped", expect.mapped, answer.get("mappedValue")
    if expect.deprovision is not None and expect.deprovision != answer.get("data"):
        yield "deprovision", expect.deprovision, answer.get("data")
    findings = rehearsal.question.opinion.findings
    would = [*(f.rule for f in findings if f.mode == "shadow" and f.verdict in WOULD), *shadowed]
    if expect.would is not None and sorted(expect.would) != sorted(would):
        yield "would", sorted(expect.would), sorted(would)
    clashes = [c for c in receipt.codes if not c.startswith("rule:")]
    if expect.clashes is not None and sorted(expect.clashes) != sorted(clashes):
        yield "clashes", sorted(expect.clashes), sorted(clashes)
    faults = [f.rule for f in findings if f.verdict == "fault"]
    if sorted(expect.faults) != sorted(faults):
        yield "faults", sorted(expect.faults), sorted(faults)


def _wrong_data(expected: Json, answer: Json) -> Iterator[tuple[str, Any, Any]]:
    user = answer.get("data") or answer.get("user")
    if not isinstance(user, dict):
        yield "data", expected, answer
        return
    for path, value in expected.items():
        got: Any = value_at(user, path)  # pyright: ignore[reportUnknownArgumentType]
        if got != value and not (value == "" and got is None):
            yield f"data.{path}", value, got


def _said(rehearsal: Rehearsal, receipt: Receipt) -> Iterator[str]:
    for finding in rehearsal.question.opinion.findings:
        if finding.verdict not in ("applies not", "passes"):
            shadow = ", in shadow" if finding.mode == "shadow" else ""
            words = f": {finding.words}" if finding.words else ""
            yield f"{finding.rule} {finding.verdict}{shadow}{words}"
    for code in receipt.codes:
        if not code.startswith("rule:"):
            yield f"unique {code} clashes"
