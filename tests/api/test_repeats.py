"""Repeats, races and clashes over HTTP: one effect, one winner, nobody against themselves (CASES 13 to 16)."""

import asyncio
import json
import uuid
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from ledger.engine import Pool
from runtime.worker import assemble
from settings import Store
from tests.api.edge import Edge, configure, listen
from tests.api.leaks import PASSWORD
from tests.api.people import mobile, recorded, unique
from tests.support import rows

pytestmark = pytest.mark.usefixtures("nothing_leaks")


# CASES 13, 14, and repeats by id


async def test_a_repeat_marked_by_a_proxy_gets_the_first_verdict_and_its_own_body(
    edge: Edge, pool: Pool
) -> None:
    source, login, number = unique(), unique(), mobile()
    first = await edge.answer("validateUser", {"user": {"login": login, "mobile": number}}, webhook_id=source)
    again = {"login": login, "mobile": number, "displayName": "other"}
    assert first == {"data": {"login": login, "mobile": number}}

    assert await edge.answer("validateUser", {"user": again}, webhook_id=source) == {"data": again}
    assert await edge.answer("validateUser", {"user": again}, idempotency_key=source) == {"data": again}

    [kept] = await recorded(pool, login)
    entries = await rows(
        pool, "SELECT outcome FROM entries WHERE delivery = $1 ORDER BY id", uuid.UUID(kept["id"])
    )
    assert [entry["outcome"] for entry in entries] == ["passed", "duplicate", "duplicate"]


async def test_a_repeated_refusal_stays_one(edge: Edge) -> None:
    taken, source = mobile(), unique()
    await edge.answer("postCreateUser", {"user": {"login": unique(), "mobile": taken}})
    request = {"user": {"login": unique(), "mobile": taken}}

    answers = [await edge.answer("validateUser", request, webhook_id=source) for _ in range(2)]

    assert answers == [{"error": True, "message": "MobileAlreadyExist"}] * 2


async def test_the_same_id_of_another_tenant_is_another_delivery(edge: Edge, pool: Pool) -> None:
    source, login = unique(), unique()
    for tenant in ("as100", "as200"):
        await edge.answer("postCreateUser", {"user": {"login": login}}, tenant, webhook_id=source)

    found = await rows(pool, "SELECT tenant FROM deliveries WHERE source_id = $1 ORDER BY tenant", source)
    assert [row["tenant"] for row in found] == ["as100", "as200"]


async def test_the_same_create_twice_and_a_hundred_times_has_one_effect(edge: Edge, pool: Pool) -> None:
    login = unique()
    body = json.dumps({"request": {"user": {"login": login, "email": f"{login}@example.com"}}})

    async def send() -> httpx.Response:
        return await edge.send("/webhook/postCreateUser", body)

    answers = [await send(), await send(), *await asyncio.gather(*(send() for _ in range(100)))]

    assert {(got.status_code, got.text) for got in answers} == {(200, '{"response":{}}')}
    work = await rows(
        pool,
        "SELECT w.outcome IS NOT DISTINCT FROM 'duplicate' AS doubled, count(*) AS n FROM work w"
        " JOIN handles h ON h.subject = w.subject WHERE h.value = $1 AND w.activity = 'creation' GROUP BY 1",
        login,
    )
    assert {row["doubled"]: row["n"] for row in work} == {False: 1, True: 101}


async def test_a_create_between_which_something_happened_is_no_duplicate(
    client: Client, store: Store, pool: Pool, tmp_path: Path
) -> None:
    """The second create undoes what runDeprovision did: skipping it would leave the person without access."""
    login = unique()
    user = {"login": login}
    create = json.dumps({"request": {"user": user, "applicationId": "hr", "action": "Application Create"}})
    async with listen(configure(tmp_path, store)) as edge, assemble(edge.settings, client) as parts:
        await edge.send("/webhook/preProvision", create)
        await edge.answer("runDeprovision", {"user": user})
        await edge.send("/webhook/preProvision", create)
        async with parts.worker:
            ran = await _ran(pool, login, 3)

    assert [kept["hook"] for kept in await recorded(pool, login)] == [
        "preProvision",
        "runDeprovision",
        "preProvision",
    ]
    assert ran == [
        (1, "provisioning", "provisioning"),
        (2, "deprovisioning", "ending"),
        (3, "provisioning", "provisioning"),
    ]


async def _ran(pool: Pool, login: str, least: int) -> list[tuple[int, str, str]]:
    """The person's activities and how they ended, in the order of the deliveries."""
    query = (
        "SELECT e.seq, e.activity, e.outcome FROM entries e JOIN handles h ON h.subject = e.subject"
        " WHERE h.kind = 'login' AND h.value = $1 AND e.activity IS NOT NULL ORDER BY e.seq, e.activity"
    )
    for _ in range(200):
        found = await rows(pool, query, login)
        if len(found) >= least:
            return [(row["seq"], row["activity"], row["outcome"]) for row in found]
        await asyncio.sleep(0.05)
    raise AssertionError("not all of it ran")


async def test_the_same_password_twice_is_two_changes(edge: Edge, pool: Pool) -> None:
    login = unique()
    for _ in range(2):
        await edge.answer("changePassword", {"user": {"login": login}, "passwordText": PASSWORD})

    states = await rows(
        pool,
        "SELECT count(*) AS n FROM work w JOIN handles h ON h.subject = w.subject"
        " WHERE h.value = $1 AND w.outcome IS DISTINCT FROM 'duplicate' AND w.activity = 'password'",
        login,
    )
    assert states == [{"n": 2}]


# CASES 15, 16


async def test_of_two_logins_with_one_mobile_exactly_one_passes(edge: Edge) -> None:
    for _ in range(5):
        number = mobile()
        asked = [
            {"user": {"login": unique(), "mobile": spelt}}
            for spelt in (number, f"+91 {number[:5]}-{number[5:]}")
        ]

        answers = await asyncio.gather(*(edge.answer("validateUser", request) for request in asked))

        assert sum("data" in answer for answer in answers) == 1
        assert {"error": True, "message": "MobileAlreadyExist"} in answers


async def test_nobody_clashes_with_themselves_or_with_nothing(edge: Edge) -> None:
    login = unique()
    user = {
        "login": login,
        "email": f"{login}@example.com",
        "mobile": mobile(),
        "mailbox": "team@example.com",
    }
    await edge.answer("postCreateUser", {"user": user})
    await edge.answer(
        "postCreateUser", {"user": {"login": unique(), "mailbox": "team@example.com", "email": ""}}
    )
    changed = user | {"email": user["email"].upper(), "displayName": "Asha"}
    empty = {"login": unique(), "email": "", "mobile": None, "mailbox": "team@example.com"}

    assert await edge.answer("validateUpdateUser", {"user": changed}) == {"data": changed}
    assert await edge.answer("validateUser", {"user": empty}) == {"data": empty}
    assert await edge.answer("validateUser", {"user": user}) == {
        "error": True,
        "message": "LoginAlreadyExist",
    }
    thief = {"login": unique(), "email": user["email"]}
    assert await edge.answer("validateUpdateUser", {"user": thief}) == {
        "error": True,
        "message": "EmailAlreadyExist",
    }
