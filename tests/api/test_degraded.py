"""Answers given while the store is away: as each tenant chose, recorded once it is back, and checked then (DESIGN §6)."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaos.relay import Relay
from decisions._registry import registry
from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, Logged, configure, listen
from tests.api.leaks import ANSWER, PASSWORD, assert_nowhere
from tests.api.people import mobile, person, unique
from tests.support import Servers, rows

DEADLINE = 1.0
CHOICES = """
[tenants.as100.rules]
mode = "on"
[[tenants.as100.rules.validate]]
name = "blocked-domain"
refuse = 'user.email.endsWith("@blocked.example")'
code = "EmailDomainBlocked"
[[tenants.as100.rules.enrich]]
name = "display-name"
set = { displayName = 'user.firstName + " " + user.lastName' }
[[tenants.as100.rules.naming]]
name = "badge"
attribute = "employeeId"
patterns = ['"E" + user.firstName']
[[tenants.as100.unique]]
attribute = "login"
form = "login"
code = "LoginAlreadyExist"
[[tenants.as100.unique]]
attribute = "email"
form = "email"
code = "EmailAlreadyExist"
[[tenants.as100.unique]]
attribute = "employeeId"
form = "text"
code = "BadgeAlreadyExist"
[tenants.as100.degraded]
validateUser = "open"
[tenants.as200.degraded]
validateUpdateUser = "open"
"""
UNAVAILABLE = {"error": True, "message": "ValidationUnavailable"}


@dataclass
class Away:
    """An edge whose store can be taken away."""

    edge: Edge
    relay: Relay
    pool: Pool

    async def answer(self, hook: str, user: dict[str, Any], tenant: str = "as100", **more: Any) -> Any:
        """The answer, within the deadline."""
        started = time.monotonic()
        got = await self.edge.answer(hook, {"user": user, **more}, tenant)
        assert time.monotonic() - started < DEADLINE + 0.5
        return got

    async def recorded(self, *logins: str, least: int, tenant: str = "as100") -> list[dict[str, Any]]:
        """Entries of these people's hooks without activities, in the ledger's order, once there are so many."""
        found: list[dict[str, Any]] = []
        for _ in range(160):
            found = [dict(row) for row in await rows(self.pool, _ENTRIES, list(logins), tenant)]
            if len(found) >= least:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(found)} entries, not {least}: {[e['outcome'] for e in found]}")


_ENTRIES = """
    SELECT DISTINCT ON (e.id) h.value AS login, e.hook, e.outcome, e.detail, e.delivery, e.seq FROM entries e
      JOIN handles h ON h.subject = e.subject AND h.kind = 'login'
     WHERE h.value = ANY ($1) AND e.tenant = $2 AND e.activity IS NULL ORDER BY e.id
"""


@asynccontextmanager
async def _away(
    servers: Servers, store: Store, pool: Pool, directory: Path, *, api: str = "", rules: str = CHOICES
) -> AsyncGenerator[Away]:
    relay = Relay([servers.port])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        async with relay.plugged() as port:
            lost = Store(url=store.url.replace(f":{servers.port}/", f":{port}/"), owner_url=store.owner_url)
            settings = configure(directory, lost, "as200", api=f"deadline = {DEADLINE}\n{api}", rules=rules)
            async with listen(settings) as edge:
                yield Away(edge, relay, pool)


@pytest.fixture
async def away(servers: Servers, store: Store, pool: Pool, tmp_path: Path) -> AsyncGenerator[Away]:
    """as100 is open for validateUser and closed for validateUpdateUser; as200 the other way round."""
    async with _away(servers, store, pool, tmp_path) as away:
        yield away


def _new(**more: Any) -> dict[str, Any]:
    return person() | {"employeeId": unique()} | more


async def test_each_tenant_and_hook_is_answered_as_chosen_and_checked_afterwards(away: Away) -> None:
    known = {tenant: _new(id=unique()) for tenant in ("as100", "as200")}
    for tenant, user in known.items():
        await away.answer("postCreateUser", user, tenant)
    asked = [
        (tenant, hook, user)
        for tenant in ("as100", "as200")
        for hook in ("validateUser", "validateUpdateUser")
        for user in (_new(), _new(email=known[tenant]["email"]))
    ]
    away.relay.cut()
    answers = [await away.answer(hook, user, tenant) for tenant, hook, user in asked]
    away.relay.mend()

    open_for = {("as100", "validateUser"), ("as200", "validateUpdateUser")}
    for (tenant, hook, user), answer in zip(asked, answers, strict=True):
        assert answer == ({"data": user} if (tenant, hook) in open_for else UNAVAILABLE), (tenant, hook)
    for tenant in ("as100", "as200"):
        mine = [(hook, user) for t, hook, user in asked if t == tenant]
        entries = await away.recorded(*(user["login"] for _, user in mine), least=8, tenant=tenant)
        told = [e for e in entries if e["outcome"] in ("passed unchecked", "turned away")]
        assert [(e["login"], e["hook"]) for e in told] == [(user["login"], hook) for hook, user in mine]
        for entry in told:
            passed = (tenant, entry["hook"]) in open_for
            assert entry["outcome"] == ("passed unchecked" if passed else "turned away")
        checks = [e for e in entries if e["outcome"].startswith("would have")]
        assert [(e["outcome"], e["detail"].get("attributes")) for e in checks] == [
            ("would have passed", None),
            ("would have been refused", ["email"]),
        ] * 2
        assert all("answered" in e["detail"] for e in checks)


async def test_a_rule_refuses_without_the_store(away: Away) -> None:
    user = _new(email=f"{unique()}@blocked.example")
    away.relay.cut()
    answers = [await away.answer(hook, user) for hook in ("validateUser", "validateUpdateUser")]
    away.relay.mend()

    assert answers == [{"error": True, "message": "EmailDomainBlocked"}] * 2
    entries = await away.recorded(user["login"], least=4)
    assert [e["outcome"] for e in entries] == ["refused", "would have been refused"] * 2
    assert entries[0]["detail"] == {"attributes": ["rule:blocked-domain"]}


async def test_two_let_through_with_one_value_find_each_other(away: Away) -> None:
    first, second = _new(), _new()
    second["email"] = first["email"].upper()
    away.relay.cut()
    for user in (first, second):
        assert await away.answer("validateUser", user) == {"data": user}
    away.relay.mend()

    entries = await away.recorded(first["login"], second["login"], least=4)
    assert [(e["login"], e["outcome"]) for e in entries] == [
        (first["login"], "passed unchecked"),
        (first["login"], "would have passed"),
        (second["login"], "passed unchecked"),
        (second["login"], "would have been refused"),
    ]
    assert entries[3]["detail"]["attributes"] == ["email"]
    # What was let through is held, as if the store had been there; who clashes holds nothing of it.
    assert await away.answer("validateUser", _new(email=first["email"])) == {
        "error": True,
        "message": "EmailAlreadyExist",
    }


async def test_who_was_turned_away_holds_nothing(away: Away) -> None:
    turned = _new(email=f"{unique()}@example.com")
    away.relay.cut()
    assert await away.answer("validateUpdateUser", turned) == UNAVAILABLE
    away.relay.mend()
    await away.recorded(turned["login"], least=2)

    assert "data" in await away.answer("validateUser", _new(email=turned["email"]))


async def test_the_other_decisions_have_their_safe_answer(away: Away) -> None:
    unnamed = _new()
    del unnamed["employeeId"]
    removed, mapped, updated = _new(), _new(), _new()
    away.relay.cut()
    pre = await away.answer("preCreateUser", unnamed)
    assert pre == {"data": unnamed | {"displayName": "Asha Example"}}
    assert (await away.answer("preUpdateUser", updated))["data"]["displayName"] == "Asha Example"
    assert await away.answer("runDeprovision", removed) == {"data": False}
    request = {"targetAttribute": "mail", "cymmetrifield": "email", "defaultValue": ""}
    assert await away.answer("policyMap", mapped, **request) == {"mappedValue": mapped["email"]}
    assert (await away.edge.hook("postUpdateUser", {"user": mapped})).status_code == 503
    away.relay.mend()

    logins = [u["login"] for u in (unnamed, updated, removed, mapped)]
    entries = await away.recorded(*logins, least=8)
    assert [(e["login"], e["outcome"]) for e in entries] == [
        (unnamed["login"], "answered unchecked"),
        (unnamed["login"], "would have been answered otherwise"),
        (updated["login"], "answered unchecked"),
        (updated["login"], "would have been answered the same"),
        (removed["login"], "undecided"),
        (removed["login"], "would have removed access"),
        (mapped["login"], "answered unchecked"),
        (mapped["login"], "would have been answered the same"),
    ]
    assert entries[1]["detail"]["attributes"] == ["employeeId"]
    work = await rows(
        away.pool,
        "SELECT w.hook, w.activity FROM work w JOIN handles h USING (subject) WHERE h.value = ANY ($1)",
        logins,
    )
    assert {(w["hook"], w["activity"]) for w in work} >= {("preCreateUser", "creation"), ("runDeprovision", "deprovisioning")}  # fmt: skip


async def test_what_there_is_no_room_for_is_counted(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, log: Logged
) -> None:
    users = [_new() for _ in range(5)]
    async with _away(servers, store, pool, tmp_path, api="keep_degraded = 3") as away:
        away.relay.cut()
        for user in users:
            assert await away.answer("validateUser", user) == {"data": user}
        away.relay.mend()
        entries = await away.recorded(*(u["login"] for u in users), least=6)
        counted: list[Any] = []
        for _ in range(100):
            counted = list(await rows(pool, "SELECT outcome, detail FROM entries WHERE hook = 'degraded'"))
            if counted:
                break
            await asyncio.sleep(0.05)
    assert {e["login"] for e in entries} == {u["login"] for u in users[:3]}
    assert {"validateUser: passed unchecked": 2} in [
        c["detail"].get("counts") for c in counted if c["outcome"] == "counted"
    ]
    assert sum("no room to keep" in line for line in log.lines) == 2


async def test_nothing_secret_waits_or_is_recorded(away: Away, store: Store, log: Logged) -> None:
    user = _new(password=PASSWORD, securityQuestion={"q": ANSWER}, apps={"crm": {"apiToken": PASSWORD}})
    away.relay.cut()
    assert await away.answer("validateUser", user) == {"data": user}
    assert await away.answer("validateUpdateUser", user) == UNAVAILABLE
    await away.answer("policyMap", user, targetAttribute="__PASSWORD__", defaultValue=PASSWORD)
    away.relay.mend()

    await away.recorded(user["login"], least=6)
    await assert_nowhere(store, log.lines, *(t.rpartition(".")[2] for t in away.edge.minted))


async def test_what_was_never_recorded_is_named_when_the_process_ends(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, log: Logged
) -> None:
    login = unique()
    async with _away(servers, store, pool, tmp_path) as away:
        away.relay.cut()
        await away.answer("validateUser", _new(login=login))
    named = [line for line in log.lines if "degraded: lost " in line]
    assert len(named) == 1
    assert "degraded: 1 answers are lost, and 0 were not kept" in "\n".join(log.lines)
    assert login not in "\n".join(log.lines)


async def test_answers_come_in_time_while_many_wait_to_be_recorded(away: Away) -> None:
    users = [_new(mobile=mobile()) for _ in range(300)]
    away.relay.cut()
    for n in range(0, 300, 50):
        await asyncio.gather(*(away.answer("validateUser", u) for u in users[n : n + 50]))
    away.relay.mend()
    await asyncio.sleep(1.1)
    while len(await rows(away.pool, _ENTRIES, [u["login"] for u in users], "as100")) < 600:
        await away.answer("validateUser", _new())
    entries = await away.recorded(*(u["login"] for u in users), least=600)
    assert len({e["delivery"] for e in entries}) == 300
    answered = [e["detail"]["answered"] for e in entries if e["outcome"].startswith("would have")]
    assert answered == sorted(answered), "recorded in the order in which they were answered"


@pytest.mark.parametrize("choice", ["closed", "open"])
async def test_a_decision_in_python_that_fails_is_answered_as_chosen(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setenv("HOOKLEDGER_DECISIONS", "tests.api.decisions")
    registry.cache_clear()
    user = _new()
    try:
        async with _away(servers, store, pool, tmp_path, rules=PYTHON.format(choice)) as away:
            answer = await away.answer("validateUser", user)
            other = await away.answer("validateUpdateUser", user)
    finally:
        registry.cache_clear()

    entries = [dict(e) for e in await rows(pool, _ENTRIES, [user["login"]], "as100")]
    faulty = [e["outcome"] for e in entries if e["hook"] == "validateUser"]
    if choice == "closed":
        assert (answer, faulty) == (UNAVAILABLE, ["turned away", "rule fault"])
        assert await rows(pool, "SELECT 1 FROM holds WHERE delivery = $1", entries[0]["delivery"]) == []
    else:
        assert (answer, faulty) == ({"data": user}, ["passed", "rule fault"])
    assert other == {"data": user}


PYTHON = """
[tenants.as100.rules]
mode = "on"
python_timeout = 0.1
[[tenants.as100.rules.validate]]
name = "licence"
on = ["validateUser"]
python = "slow_licence"
code = "NoLicence"
[tenants.as100.degraded]
validateUser = "{}"
"""
