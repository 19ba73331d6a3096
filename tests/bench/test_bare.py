"""The bare reference does the job it is measured for: same tokens, same refusals, one row per hook."""

import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest

from bench import bare, traffic
from tests.support import Servers

SECRET = "s" * 32


@pytest.fixture
async def database(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    """A database with the reference's tables; the process's environment names it."""
    name = f"bare_{uuid.uuid4().hex[:12]}"
    admin = servers.url("postgres", "postgres")
    await _execute(admin, f'CREATE DATABASE "{name}"')
    url = servers.url("postgres", name)
    monkeypatch.setenv("BARE_DATABASE_URL", url)
    monkeypatch.setenv("BARE_TENANT", traffic.TENANT)
    monkeypatch.setenv("BENCH_SECRET", SECRET)
    monkeypatch.setenv("BARE_LOOKUP", str(tmp_path / "mailboxes.csv"))
    (tmp_path / "mailboxes.csv").write_text("key,value\nE7,seven@example.com\n")
    bare.mailboxes.cache_clear()
    await _execute(url, bare.SCHEMA)
    yield url
    await _execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def api(database: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the running application, with a good token."""
    headers = {"Authorization": f"Bearer {traffic.Tokens(SECRET).fresh()}"}
    async with (
        bare.lifespan(bare.app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(bare.app), base_url="http://bench/webhook", headers=headers
        ) as client,
    ):
        yield client


async def _execute(url: str, sql: str) -> None:
    connection = await cast("Any", asyncpg).connect(url)
    await connection.execute(sql)
    await connection.close()


async def _rows(url: str, sql: str) -> list[Any]:
    connection = await cast("Any", asyncpg).connect(url)
    rows = await connection.fetch(sql)
    await connection.close()
    return rows


async def test_each_hook_is_answered_by_the_contract_and_stored_once(
    api: httpx.AsyncClient, database: str
) -> None:
    user = traffic.person(1, 1)
    validated = await api.post("/validateUser", json=traffic.validate_user(user))
    mapped = await api.post("/policyMap", json=traffic.policy_map(user))
    looked_up = await api.post("/policyMap", json=traffic.policy_map(user | {"employeeId": "E7"}))
    assert looked_up.json() == {"response": {"mappedValue": "seven@example.com"}}
    provisioned = await api.post("/postProvision", json=traffic.post_provision(user))
    assert validated.json() == {"response": {"data": user}}
    assert mapped.json() == {"response": {"mappedValue": user["email"]}}
    assert provisioned.json() == {"response": {}}
    rows = await _rows(database, "SELECT hook FROM deliveries ORDER BY id")
    assert [row["hook"] for row in rows] == ["validateUser", "policyMap", "policyMap", "postProvision"]


@pytest.mark.parametrize(
    ("attribute", "code"),
    [("login", "LoginAlreadyExist"), ("email", "EmailAlreadyExist"), ("mobile", "MobileAlreadyExist")],
)
async def test_a_taken_value_is_refused_in_any_case(
    api: httpx.AsyncClient, database: str, attribute: str, code: str
) -> None:
    user = traffic.person(1, 1)
    known = {"login": "a", "email": "b", "mobile": "c", attribute: str(user[attribute]).lower()}
    await _execute(
        database,
        f"INSERT INTO people (tenant, login, email, mobile) VALUES "
        f"('{traffic.TENANT}', '{known['login']}', '{known['email']}', '{known['mobile']}')",
    )
    shouted = user | {attribute: f" {str(user[attribute]).upper()} "}
    answer = await api.post("/validateUser", json=traffic.validate_user(shouted))
    assert answer.json() == {"response": {"error": True, "message": code}}


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
async def test_a_bad_token_is_turned_away(api: httpx.AsyncClient, header: str) -> None:
    answer = await api.post("/policyMap", json={}, headers={"Authorization": header})
    assert answer.status_code == 401
