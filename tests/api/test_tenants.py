"""Two tenants that have everything in common, through every hook and every command: nothing crosses (CASES 29)."""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from typer.testing import CliRunner, Result

from cli import app
from hooks import by_name
from ledger.engine import Pool, open_pool
from runtime.worker import assemble
from tests.api.edge import Edge, configure, listen
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers, rows

TENANTS = ("as100", "as200")
LOGIN, ID, APPLICATION = "shared.person", "66aa00000000000000000001", "crm"
ORDER = (
    "test", "validateUser", "preCreateUser", "postCreateUser", "policyMap", "preProvision", "postProvision",
    "validateUpdateUser", "preUpdateUser", "postUpdateUser", "changePassword", "runDeprovision",
)  # fmt: skip
MORE = """
[tenants.as100.rules]
mode = "on"
[[tenants.as100.rules.naming]]
name = "badge"
attribute = "employeeId"
patterns = ['"E" + user.firstName']
[[tenants.as200.rules.naming]]
name = "badge"
attribute = "employeeId"
patterns = ['"E" + user.firstName']
"""
UNIQUE = "".join(
    f'[[tenants.{tenant}.unique]]\nattribute = "{attribute}"\nform = "{form}"\ncode = "{code}"\n'
    for tenant in TENANTS
    for attribute, form, code in (
        ("login", "login", "LoginAlreadyExist"),
        ("email", "email", "EmailAlreadyExist"),
        ("mobile", "mobile", "MobileAlreadyExist"),
        ("employeeId", "text", "BadgeAlreadyExist"),
    )
)


def _mark(tenant: str) -> str:
    """Stands in every body of that tenant, and in no other's."""
    return f"mark-of-{tenant}"


def _user(tenant: str) -> dict[str, Any]:
    return {
        "id": ID,
        "login": LOGIN,
        "email": "shared@example.com",
        "mobile": "9876543210",
        "country": "India",
        "firstName": "Asha",
        "displayName": _mark(tenant),
        "status": "ACTIVE",
    }


def _request(hook: str, tenant: str) -> dict[str, Any]:
    request = copy.deepcopy(by_name()[hook.lower()].sample or {})
    if by_name()[hook.lower()].about_user:
        request["user"] = _user(tenant)
    if hook in ("validateUser", "preCreateUser"):
        del request["user"]["id"]
    if hook in ("policyMap", "preProvision", "postProvision"):
        request["applicationId"] = APPLICATION
    return request | {"note": _mark(tenant)}


@dataclass
class Both:
    """The edge after both tenants have played the whole life of their person, and what each was answered."""

    edge: Edge
    pool: Pool
    answers: dict[tuple[str, str], Any]
    directory: Path

    async def command(self, *arguments: str) -> Result:
        """Runs `./hookledger …`, in a thread: commands have loops of their own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOOKLEDGER_CONFIG", str(self.directory / "hookledger.toml"))
            return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    async def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command with --json prints."""
        result = await self.command(*arguments, "--json")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    async def subject(self, tenant: str) -> str:
        """The pseudonym of that tenant's person."""
        [row] = await rows(
            self.pool,
            "SELECT subject FROM handles WHERE tenant = $1 AND kind = 'id' AND value = $2",
            tenant,
            ID,
        )
        return row["subject"]


@pytest.fixture(scope="module")
async def both(
    servers: Servers, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Both]:
    """Every hook in turn for both, with the same login, ids, values, application and delivery ids; then the work."""
    directory = tmp_path_factory.mktemp("both")
    async with database(servers, TEMPLATE) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
            settings = configure(directory, store, "as200", api="deadline = 5.0", rules=MORE + UNIQUE)
            pool = await open_pool(store, "test")
            async with listen(settings) as edge, assemble(settings, client) as parts, parts.worker:
                answers: dict[tuple[str, str], Any] = {}
                for number, hook in enumerate(ORDER):
                    for tenant in TENANTS:
                        request = _request(hook, tenant)
                        answers[hook, tenant] = await edge.answer(
                            hook, request, tenant, webhook_id=f"delivery-{number}"
                        )
                for _ in range(300):
                    if not await rows(pool, "SELECT 1 FROM work WHERE settled_at IS NULL"):
                        break
                    await asyncio.sleep(0.1)
                yield Both(edge, pool, answers, directory)
            await pool.close()


def test_every_hook_is_played() -> None:
    assert sorted(ORDER) == sorted(hook.name for hook in by_name().values())


async def test_each_is_answered_as_if_alone(both: Both) -> None:
    for hook in ORDER:
        first, second = (both.answers[hook, tenant] for tenant in TENANTS)
        assert json.loads(json.dumps(first).replace(_mark("as100"), _mark("as200"))) == second
        assert "error" not in second, "the other's values are free here"
    assert both.answers["validateUser", "as200"]["data"]["employeeId"] == "EAsha", (
        "and so is the other's name"
    )


async def test_no_repeat_is_seen_in_the_other_s_delivery_id(both: Both) -> None:
    assert await rows(both.pool, "SELECT 1 FROM entries WHERE outcome = 'duplicate'") == []


async def test_every_row_belongs_to_the_tenant_of_its_person_and_of_its_delivery(both: Both) -> None:
    columns = await rows(
        both.pool,
        "SELECT table_name AS t, array_agg(column_name::text) AS c FROM information_schema.columns"
        " WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1",
    )
    looked = 0
    for table, has in ((row["t"], set(row["c"])) for row in columns):
        if "tenant" not in has:
            continue
        for column, other in (
            ("subject", "subjects"),
            ("delivery", "deliveries"),
            ("before", "deliveries"),
            ("rehire_of", "subjects"),
            ("opened_by", "deliveries"),
            ("closed_by", "deliveries"),
        ):
            if column in has:
                looked += 1
                crossed = await rows(
                    both.pool,
                    f"SELECT 1 FROM {table} x JOIN {other} o ON o.id = x.{column} WHERE o.tenant <> x.tenant",
                )
                assert crossed == [], (table, column)
    assert looked > 12
    [people] = await rows(both.pool, "SELECT count(*) AS n, count(DISTINCT workflow_id) AS w FROM subjects")
    assert people == {"n": 2, "w": 2}


async def test_bodies_and_what_activities_are_told_hold_only_the_own_marks(both: Both) -> None:
    bodies = await rows(
        both.pool,
        "SELECT d.tenant, coalesce(b.body, '') || coalesce(b.patch, '') || coalesce(p.body, '') AS text FROM deliveries d"
        " JOIN bodies b ON b.delivery = d.id LEFT JOIN bodies p ON p.delivery = d.before",
    )
    assert len(bodies) == 2 * len(ORDER)
    for body in bodies:
        [other] = {*TENANTS} - {body["tenant"]}
        assert _mark(other) not in body["text"]
    assert sum(_mark(body["tenant"]) in body["text"] for body in bodies) >= 2 * (len(ORDER) - 2)


async def test_work_and_entitlements_are_each_their_own(both: Both) -> None:
    done = await rows(
        both.pool,
        "SELECT tenant, count(*) AS n, count(settled_at) AS settled FROM work GROUP BY 1 ORDER BY 1",
    )
    assert [(row["tenant"], row["settled"]) for row in done] == [(t, done[0]["n"]) for t in TENANTS]
    had = await rows(
        both.pool, "SELECT tenant, application, count(*) AS n FROM entitlements GROUP BY 1, 2 ORDER BY 1"
    )
    assert [(row["tenant"], row["application"]) for row in had] == [(t, APPLICATION) for t in TENANTS]
    assert had[0]["n"] == had[1]["n"]


@pytest.mark.parametrize("tenant", TENANTS)
async def test_commands_with_tenant_show_nothing_of_the_other(both: Both, tenant: str) -> None:
    [other] = {*TENANTS} - {tenant}
    theirs = [other, _mark(other), await both.subject(other)]
    theirs += [
        row["id"] for row in await rows(both.pool, "SELECT id FROM deliveries WHERE tenant = $1", other)
    ]
    asked = (
        ("doctor",),
        ("failures",),
        ("degraded",),
        ("gaps", "--all"),
        ("rules", "report"),
        ("rules", "list"),
        ("ledger", "search", "--limit", "1000"),
        ("ledger", "search", "--user", LOGIN),
        ("ledger", "search", "--user", ID),
        ("ledger", "search", "--user", await both.subject(other)),
    )
    for arguments in asked:
        for form in ((), ("--json",)):
            result = await both.command(*arguments, "--tenant", tenant, *form)
            assert result.exit_code in (0, 1), result.output
            for trace in theirs:
                assert trace not in result.output, arguments
    mine = await both.lines("ledger", "search", "--tenant", tenant, "--limit", "1000")
    assert {line["tenant"] for line in mine} == {tenant}
    assert len(mine) >= len(ORDER)


async def _paused(both: Both) -> list[str]:
    return [
        r["tenant"] for r in await rows(both.pool, "SELECT tenant FROM subjects WHERE paused ORDER BY tenant")
    ]


async def test_pause_and_resume_mean_one_tenant_s_person(both: Both) -> None:
    because = ("--reason", "a test")
    ambiguous = await both.command("pause", LOGIN, *because)
    assert (ambiguous.exit_code, await _paused(both)) == (2, [])
    assert "several people" in ambiguous.output
    pseudonym = await both.subject("as100")
    assert (await both.command("pause", pseudonym, "--tenant", "as200", *because)).exit_code == 2
    assert await _paused(both) == []
    assert (await both.command("pause", LOGIN, "--tenant", "as200", *because)).exit_code == 0
    assert await _paused(both) == ["as200"]
    assert (await both.command("resume", LOGIN, "--tenant", "as100", *because)).exit_code == 0
    assert await _paused(both) == ["as200"]
    assert (await both.command("resume", ID, "--tenant", "as200", *because)).exit_code == 0
    assert await _paused(both) == []


@pytest.mark.parametrize("deed", ["redrive", "skip"])
async def test_work_of_another_tenant_is_not_touched(both: Both, deed: str) -> None:
    [target] = await rows(
        both.pool,
        "SELECT delivery, state, outcome FROM work WHERE tenant = 'as100' AND activity = 'creation' ORDER BY seq LIMIT 1",
    )
    before = await rows(both.pool, "SELECT count(*) AS n FROM deliveries")
    named = (target["delivery"], "--activity", "creation", "--reason", "a test")

    result = await both.command(deed, *named, "--tenant", "as200")

    assert result.exit_code == 2
    assert "no such person or delivery" in result.output
    again = await rows(both.pool, "SELECT delivery, state, outcome FROM work WHERE delivery = $1 AND activity = 'creation'", target["delivery"])  # fmt: skip
    assert again == [target]
    assert await rows(both.pool, "SELECT count(*) AS n FROM deliveries") == before


async def test_a_brake_stops_and_is_released_for_one_tenant(both: Both) -> None:
    await both.pool.execute(
        "INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now()), ('as200', NULL)"
    )
    answers = [
        await both.edge.answer("runDeprovision", _request("runDeprovision", tenant), tenant)
        for tenant in TENANTS
    ]
    assert answers == [{"data": False}, {"data": True}]
    assert (await both.command("brake", "release", "--tenant", "as200", "--reason", "a test")).exit_code == 2
    assert (await both.command("brake", "release", "--tenant", "as100", "--reason", "a test")).exit_code == 0
    assert await both.edge.answer("runDeprovision", _request("runDeprovision", "as100")) == {"data": True}


async def test_one_s_token_with_the_other_s_user_reads_and_writes_only_its_own(both: Both) -> None:
    """as200 has somebody whom as100 does not know; a call of as100 names them by id, login and values."""
    theirs = _user("as200") | {"id": "66aa000000000000000000b2", "login": "only.theirs", "email": "theirs@example.com", "mobile": "9876500002"}  # fmt: skip
    await both.edge.answer("postCreateUser", {"user": theirs}, "as200")
    known = "SELECT i.*, h.value FROM identities i JOIN handles h USING (subject) WHERE h.value = $1 AND i.tenant = 'as200'"
    before = await rows(both.pool, known, "only.theirs")
    seen = "SELECT count(*) AS n FROM entries WHERE tenant = 'as200' AND activity IS NULL"
    entries = await rows(both.pool, seen)

    forged = theirs | {"status": "DELETE", "displayName": "forged"}
    for hook in ("validateUser", "validateUpdateUser", "preUpdateUser", "postUpdateUser", "runDeprovision"):
        answer = await both.edge.answer(hook, {"user": forged}, "as100")
        assert "error" not in answer, "what the other tenant knows refuses nothing here"
        assert _mark("as200") not in json.dumps(answer)

    assert await rows(both.pool, known, "only.theirs") == before
    assert await rows(both.pool, seen) == entries
    mine = await rows(
        both.pool,
        "SELECT d.tenant, d.before FROM deliveries d JOIN handles h USING (subject) WHERE h.value = $1 AND d.tenant = 'as100'",
        "only.theirs",
    )
    assert len(mine) == 5
    assert [row["before"] for row in mine[:3]] == [None] * 3


async def test_the_platform_s_calls_turned_away_are_of_one_tenant(both: Both) -> None:
    assert (await both.edge.send("/webhook/validateUser", "{", "as200")).status_code == 400
    await asyncio.sleep(1.3)

    assert await rows(both.pool, "SELECT DISTINCT tenant FROM refusals") == [{"tenant": "as200"}]
