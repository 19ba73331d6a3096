"""The way of one hook over HTTP: answers by the contract, what is recorded, who is let in (CASES 2, 8, 25, 27, 29)."""

import copy
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from hooks import by_name
from hooks.hook import Hook
from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, configure, listen, written
from tests.api.leaks import ANSWER, PASSWORD, assert_nowhere
from tests.api.people import history_of, mobile, recorded, unique
from tests.support import Servers, rows

HOOKS = list(by_name().values())
RETURN_THE_USER = ("validateUser", "validateUpdateUser", "preCreateUser", "preUpdateUser")

pytestmark = pytest.mark.usefixtures("nothing_leaks")


# Answers and records


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
async def test_each_hook_is_answered_and_recorded(edge: Edge, pool: Pool, hook: Hook) -> None:
    login, source = unique(), unique()
    request = copy.deepcopy(hook.sample or {})
    if hook.about_user:
        request["user"]["login"] = login

    answer = await edge.answer(hook.name, request, webhook_id=source)

    expected = {
        "policyMap": {"mappedValue": "example@gmail.com"},
        "runDeprovision": {"data": True},
        **{name: {"data": request.get("user")} for name in RETURN_THE_USER},
    }
    assert answer == expected.get(hook.name, {})
    [kept] = await rows(pool, "SELECT hook, tenant, subject FROM deliveries WHERE source_id = $1", source)
    assert (kept["hook"], kept["tenant"], kept["subject"] is not None) == (
        hook.name,
        "as100",
        hook.about_user,
    )
    entries = await rows(pool, "SELECT e.outcome FROM entries e JOIN deliveries d ON d.id = e.delivery WHERE d.source_id = $1 AND e.activity IS NULL", source)  # fmt: skip
    assert len(entries) == 1


async def test_misspelt_keys_are_kept_as_they_are(edge: Edge, pool: Pool) -> None:
    login = unique()
    sent = {"targetAttribute": "mail", "cymmetrifield": "email", "formVeriable": "v", "defaultValue": "d"}

    await edge.answer("policymap", sent | {"user": {"login": login}})

    [kept] = await recorded(pool, login)
    assert json.loads(kept["body"])["request"] == sent | {"user": {"login": login}}


@pytest.mark.parametrize(
    ("request_", "value"),
    [
        ({"cymmetrifield": "email", "defaultValue": "d"}, "asha@example.com"),
        ({"cymmetrifield": "department", "defaultValue": "d"}, "d"),
        ({"cymmetrifield": "empty", "defaultValue": "d"}, "d"),
        ({"cymmetrifield": "department", "defaultValue": None}, ""),
        ({"cymmetrifield": ["email"], "defaultValue": "d"}, "d"),
        ({"defaultValue": "d"}, "d"),
        ({}, ""),
    ],
)
async def test_policy_map(edge: Edge, request_: dict[str, Any], value: str) -> None:
    user = {"login": unique(), "email": "asha@example.com", "empty": ""}

    answer = await edge.answer("policyMap", {"targetAttribute": "mail", "user": user} | request_)

    assert answer == {"mappedValue": value}


async def test_policy_map_without_target(edge: Edge) -> None:
    got = await edge.hook("policyMap", {"user": {"login": unique()}, "cymmetrifield": "email"})

    assert got.status_code == 422
    assert got.json()["detail"] == "The body must have request.targetAttribute: text."


@pytest.mark.parametrize(
    ("tenant", "passed"),
    [
        ("", {"response": {"data": {"login": "shaped"}}}),
        ('answer_shape = "data+error"', {"response": {"error": False, "data": {"login": "shaped"}}}),
        ('answer_shape = "echo"', {"response": {"user": {"login": "shaped"}}}),
    ],
)
async def test_the_shape_of_a_pass_is_the_tenant_s_choice(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tenant: str, passed: Any
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(configure(tmp_path, store, tenant=tenant)) as edge:
        got = await edge.hook("validateUser", {"user": {"login": "shaped"}})

    assert got.json() == passed


@pytest.mark.parametrize(("answer", "data"), [("never", False), ("rules", False), ("always", True)])
async def test_run_deprovision_is_the_tenant_s_choice(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, data: bool
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    configure(tmp_path, store)
    text = (tmp_path / "hookledger.toml").read_text()
    (tmp_path / "hookledger.toml").write_text(text.replace('answer = "always"', f'answer = "{answer}"'))
    from settings import load

    async with listen(load(tmp_path / "hookledger.toml")) as edge:
        assert await edge.answer("runDeprovision", {"user": {"login": unique()}}) == {"data": data}


# CASES 2, 27


async def test_secrets_are_answered_whole_and_kept_nowhere(
    edge: Edge, pool: Pool, store: Store, client: Client, servers: Servers
) -> None:
    """In tables, log and workflow histories there is neither a password, nor an answer, nor a token."""
    login = unique()
    application = {"appId": "a1", "login": {"login": login, "password": PASSWORD, "pwdChangeCount": 2}}
    user: dict[str, Any] = {
        "login": login,
        "provisionedApps": {"a1": application},
        "securityQuestion": {"What was the name of the dog?": ANSWER},
        "attributes": [{"name": "__PASSWORD__", "value": PASSWORD}],
    }
    assert await edge.answer("preCreateUser", {"user": user}) == {"data": user}
    for name in ("postCreateUser", "postUpdateUser", "preProvision", "postProvision", "runDeprovision"):
        await edge.answer(name, {"user": user, "applicationId": "a1", "form": {"password": PASSWORD}})
    await edge.answer("changePassword", {"user": user, "passwordText": PASSWORD})
    target = {"targetAttribute": "__PASSWORD__", "cymmetrifield": "password", "defaultValue": PASSWORD}
    assert await edge.answer("policyMap", {"user": user} | target) == {"mappedValue": PASSWORD}
    await edge.answer("grownLater", {"user": user, "passwordText": PASSWORD})

    [first, *_] = kept = await recorded(pool, login)
    assert len(kept) == 8
    stored = json.loads(first["body"])["request"]["user"]
    assert stored["provisionedApps"]["a1"]["login"] == {
        "login": login,
        "password": "[cut]",
        "pwdChangeCount": 2,
    }
    [subject] = await rows(
        pool, "SELECT workflow_id FROM subjects WHERE id = $1", uuid.UUID(first["subject"])
    )
    history = await history_of(client, subject["workflow_id"])
    assert login in history, "the run of this person"
    await assert_nowhere(store, [history], *edge.minted)


# CASES 8


async def test_without_a_token_and_with_a_bad_one(edge: Edge) -> None:
    async def challenge(*authorization: str) -> str:
        headers = [
            ("Content-Type", "application/json"),
            *(("Authorization", value) for value in authorization),
        ]
        got = await edge.http.post(
            f"http://127.0.0.1:{edge.port}/webhook/test", headers=headers, content="{}"
        )
        assert got.status_code == 401
        assert got.headers["content-type"] == "application/problem+json"
        return got.headers["www-authenticate"]

    assert await challenge() == "Bearer"
    assert await challenge("Basic YTpi") == "Bearer"
    assert await challenge("Bearer nonsense") == 'Bearer error="invalid_token"'
    assert await challenge(f"Bearer {edge.token()[:-5]}aaaaa") == 'Bearer error="invalid_token"'
    assert await challenge(*[f"Bearer {edge.token()}"] * 2) == 'Bearer error="invalid_token"'


async def test_refused_tokens_are_recorded_in_words_under_the_tenant_they_name(
    edge: Edge, pool: Pool
) -> None:
    header, claims, _ = edge.token("as200").split(".")
    forged = {"Authorization": f"Bearer {header}.{claims}.{'A' * 43}", "Content-Type": "application/json"}

    got = await edge.http.post(f"http://127.0.0.1:{edge.port}/webhook/test", headers=forged, content="{}")

    assert (got.status_code, got.json()["type"]) == (401, "urn:hookledger:problem:bad_signature")
    [refusal] = await written(pool, "receipt = $1", uuid.UUID(got.json()["receipt"]))
    assert (refusal["tenant"], refusal["hook"], refusal["status"]) == ("as200", "test", 401)
    assert "compare it with the platform's screen" in refusal["words"]
    assert refusal["words"] not in got.text, "hints are for the operator"


# CASES 25


@pytest.mark.parametrize("odd", ["text", "", {"a": [1]}, ["a", {"b": None}], None, 7, True], ids=repr)
@pytest.mark.parametrize("name", ["preProvision", "postProvision"])
async def test_keys_of_any_type_are_accepted_and_kept_as_sent(
    edge: Edge, pool: Pool, name: str, odd: Any
) -> None:
    login = unique()
    keys = ("policyMap", "form", "roleList", "formVeriable", "applicationId", "action", "isSuccess", "uid")
    request = dict.fromkeys(keys, odd) | {"user": {"login": login}}

    assert await edge.answer(name, request) == {}

    [kept] = await recorded(pool, login)
    assert json.loads(kept["body"]) == {"request": request}


# CASES 29


async def test_a_tenant_neither_reads_nor_writes_another_s_people(edge: Edge, pool: Pool) -> None:
    login, platform_id, number = unique(), uuid.uuid4().hex[:24], mobile()
    theirs = {"id": platform_id, "login": login, "mobile": number, "department": "theirs"}
    await edge.answer("postCreateUser", {"user": theirs}, "as200")
    before = await recorded(pool, login, "as200")
    ours = {"id": platform_id, "login": login, "mobile": number, "department": "ours"}

    assert await edge.answer("validateUser", {"user": ours}) == {"data": ours}, "nothing of theirs is seen"
    for name in ("postCreateUser", "postUpdateUser", "changePassword", "runDeprovision"):
        await edge.answer(name, {"user": ours | {"tenantId": "as200"}})

    assert await recorded(pool, login, "as200") == before
    subjects = {kept["subject"] for kept in await recorded(pool, login)}
    assert len(subjects) == 1
    assert subjects.isdisjoint(kept["subject"] for kept in before)
    [identity] = await rows(pool, "SELECT tenant, seq FROM identities WHERE subject = $1", uuid.UUID(before[0]["subject"]))  # fmt: skip
    assert identity == {"tenant": "as200", "seq": 1}
