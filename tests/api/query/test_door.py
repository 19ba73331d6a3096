"""Who is let in, who is not, and that nothing about a key is told to those who do not have it."""

import asyncio
import os
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from dev import certificate
from dev.processes import end, free_port, spawn
from ledger import key_text
from ledger.engine import Pool
from settings import Store
from tests.api.edge import logged
from tests.api.query.asking import Desk, configure, listen, make
from tests.architecture.tree import ROOT
from tests.support import rows


async def test_a_good_key_is_let_in_and_its_use_is_noted(desk: Desk, pool: Pool) -> None:
    text, key = await make(desk.settings, "admin")

    answer = await desk.get("/ledger/keys", text)

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    [shown] = answer.json()["keys"]
    assert (shown["id"], shown["state"], shown["made_by"]) == (key.id, "good", "os:tester")
    assert "hash" not in shown
    [kept] = await rows(pool, "SELECT last_used_at, encode(hash, 'hex') AS hash FROM keys")
    assert datetime.now(UTC) - datetime.fromisoformat(kept["last_used_at"]) < timedelta(minutes=1)
    assert text not in str(await rows(pool, "SELECT * FROM keys"))
    assert kept["hash"] == key_text.KeyText(text).hash.hex()


async def test_without_a_credential_the_scheme_is_named(desk: Desk) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic abc"}):
        answer = await desk.http.get("/ledger/keys", headers=headers)

        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:hookledger:problem:no_credential"


async def test_two_credentials_are_none(desk: Desk) -> None:
    text, _ = await make(desk.settings, "admin")
    two = [("Authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")]

    answer = await desk.http.get("/ledger/keys", headers=two)

    assert (answer.status_code, answer.json()["type"][-19:]) == (401, "several_credentials")


@pytest.mark.parametrize("kind", ["mistyped", "made up", "other secret", "no key"])
async def test_what_is_no_key_is_turned_away_and_never_echoed(desk: Desk, kind: str) -> None:
    text, key = await make(desk.settings, "admin")
    other = key_text.make().text
    forged = key_text.PREFIX + key.id + other[16:-6]
    given, code = {
        "mistyped": (text[:-1] + ("a" if text[-1] != "a" else "b"), "malformed_key"),
        "made up": (other, "unknown_key"),
        "other secret": (forged + key_text._check(forged), "unknown_key"),  # pyright: ignore[reportPrivateUsage]
        "no key": ("eyJhbGciOiJIUzI1NiJ9.e30.x", "unknown_key"),
    }[kind]

    with logged() as log:
        answer = await desk.get("/ledger/keys", given)

    assert answer.status_code == 401
    assert answer.json()["type"] == f"urn:hookledger:problem:{code}"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert given not in answer.text
    assert given not in "\n".join(log.lines)


async def test_a_key_ends_at_its_time_and_at_once_when_revoked(desk: Desk, pool: Pool) -> None:
    admin, _ = await make(desk.settings, "admin")
    short, _ = await make(desk.settings, "admin", life=timedelta(milliseconds=1))
    text, key = await make(desk.settings, "admin")
    assert (await desk.get("/ledger/keys", text)).status_code == 200

    revoked = await desk.post("/ledger/keys/revoke", admin, key=key.id, reason="its holder left")
    after = await desk.get("/ledger/keys", text)
    expired = await desk.get("/ledger/keys", short)

    assert revoked.json()["state"] == "revoked"
    assert (after.status_code, after.json()["type"][-11:]) == (401, "key_revoked")
    assert (expired.status_code, expired.json()["type"][-11:]) == (401, "key_expired")
    again = await desk.post("/ledger/keys/revoke", admin, key=key.id, reason="once more")
    assert again.status_code == 404


async def test_the_application_cannot_make_a_key_more_than_it_is(desk: Desk, pool: Pool) -> None:
    await make(desk.settings, "auditor", "as100")
    for change in ("role = 'admin'", "tenant = NULL", "hash = ''", "expires_at = now()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"UPDATE keys SET {change}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM keys")


async def test_without_the_store_the_answer_is_a_problem(desk: Desk) -> None:
    text, _ = await make(desk.settings, "admin")
    nowhere = desk.settings.store.model_copy(update={"url": "postgresql://a:b@127.0.0.1:1/none"})
    async with listen(desk.settings.model_copy(update={"store": nowhere})) as away:
        answer = await away.get("/ledger/keys", text)
        ready = await away.http.get("/health/ready")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:hookledger:problem:store_away"
    assert ready.status_code == 503


async def test_it_listens_by_https_as_configured(store: Store, tmp_path: Path) -> None:
    """The process itself: its port, its certificate, its end."""
    pem, key = certificate.read_or_make(tmp_path / "tls")
    query = f'tls = {{ certificate = "{pem}", key = "{key}" }}\nport = {(port := free_port())}'
    settings = configure(tmp_path, store, query)
    text, _ = await make(settings, "admin")
    environment = {**os.environ, "HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml")}
    process = spawn(
        [sys.executable, str(ROOT / "cli.py"), "query"], log=tmp_path / "log", env=environment, cwd=ROOT
    )
    trusting = ssl.create_default_context(cafile=pem)
    try:
        async with httpx.AsyncClient(
            verify=trusting, trust_env=False, base_url=f"https://127.0.0.1:{port}"
        ) as http:
            for _ in range(600):
                try:
                    await http.get("/health/live")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
            answer = await http.get("/ledger/keys", headers={"Authorization": f"Bearer {text}"})
    finally:
        drained = end(process)

    assert answer.status_code == 200
    assert (drained, process.returncode) == (True, 0)
    assert text not in (tmp_path / "log").read_text()
