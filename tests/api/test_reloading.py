"""Rules are changed while hooks are answered: all of them or none."""

import asyncio
import getpass
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from api.reloading import Reloading
from ledger.engine import Pool
from settings import Store
from tests.api.attacks.table import signed
from tests.api.edge import Edge, Logged, configure, listen
from tests.api.people import person
from tests.support import Servers, rows

BEFORE = """
[tenants.as100.rules]
mode = "on"
include = ["more.toml"]
"""
RULE = """
[[validate]]
name = "nobody"
refuse = 'user.login != ""'
code = "NobodyToday"
"""


@pytest.fixture
async def changing(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Edge]:
    """An edge whose tenant includes a file without rules."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    (tmp_path / "more.toml").write_text("")
    settings = configure(tmp_path, store, api="deadline = 5.0", rules=BEFORE)
    async with listen(settings) as edge:
        yield edge


async def _message(edge: Edge) -> str | None:
    return (await edge.answer("validateUser", {"user": person()})).get("message")


async def test_new_rules_decide_from_the_next_call_on(changing: Edge, tmp_path: Path, pool: Pool) -> None:
    reloading = Reloading(changing.app.state.receiver)
    assert await _message(changing) is None

    (tmp_path / "more.toml").write_text(RULE)
    assert await reloading.reload() is True

    assert await _message(changing) == "NobodyToday"
    query = "SELECT DISTINCT rules_hash FROM entries ORDER BY 1"
    hashes = {r["rules_hash"] for r in await rows(pool, query)}
    assert changing.app.state.receiver.policies["as100"].hash in hashes


async def test_a_change_of_rules_is_an_operators_deed_once(
    changing: Edge, tmp_path: Path, pool: Pool
) -> None:
    policies = changing.app.state.receiver.policies
    before = policies["as100"].hash
    query = (
        "SELECT actor, detail FROM entries WHERE outcome = 'rules loaded' AND detail->>'before' = $1 "
        "AND detail->>'rules' = $2"
    )

    (tmp_path / "more.toml").write_text(RULE)
    reloading = Reloading(changing.app.state.receiver)
    for _ in range(2):
        assert await reloading.reload() is True
        await asyncio.sleep(1.5)

    after = changing.app.state.receiver.policies["as100"].hash
    [entry] = await rows(pool, query, before, after)
    assert entry["actor"] == f"os:{getpass.getuser()}"


async def test_rules_with_a_mistake_change_nothing_and_the_log_says_why(
    changing: Edge, tmp_path: Path, log: Logged
) -> None:
    reloading = Reloading(changing.app.state.receiver)
    (tmp_path / "more.toml").write_text(RULE)
    await reloading.reload()

    (tmp_path / "more.toml").write_text(RULE.replace("user.login", "user.logn"))
    assert await reloading.reload() is False

    assert await _message(changing) == "NobodyToday"
    [line] = [line for line in log.lines if "those before go on" in line]
    assert "more.toml:4:16" in line
    assert "did you mean login?" in line


async def test_it_is_done_on_sighup(changing: Edge, tmp_path: Path) -> None:
    Reloading(changing.app.state.receiver).listen()
    try:
        (tmp_path / "more.toml").write_text(RULE)
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(50):
            if await _message(changing) == "NobodyToday":
                return
        raise AssertionError("the rules did not change")
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


async def test_a_secret_is_rotated_without_a_lost_hook(changing: Edge, tmp_path: Path) -> None:
    """Add the new key, change the platform, remove the old one: hooks come all the time, and each is let in."""
    reloading = Reloading(changing.app.state.receiver)
    old = changing.settings.tenants["as100"].token.keys[0].material
    new = b"n" * 48
    (tmp_path / "new.key").write_bytes(new)
    path = tmp_path / "hookledger.toml"
    before = path.read_text()
    [first] = [line for line in before.splitlines() if line.startswith("keys = [")]
    both = first.removesuffix("]") + ', { name = "new", secret = { file = "new.key" } }]'
    after = 'keys = [{ name = "new", secret = { file = "new.key" } }]'
    signing, statuses, done = [old], list[int](), asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            headers = {"Authorization": f"Bearer {signed(signing[0])}", "Content-Type": "application/json"}
            url = f"http://127.0.0.1:{changing.port}/webhook/postUpdateUser"
            got = await changing.http.post(url, headers=headers, json={"request": {"user": person()}})
            statuses.append(got.status_code)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(send())
        await asyncio.sleep(0.3)
        remembered = signed(old)
        headers = {"Authorization": f"Bearer {remembered}", "Content-Type": "application/json"}
        test = f"http://127.0.0.1:{changing.port}/webhook/test"
        assert (await changing.http.post(test, headers=headers, content=b"{}")).status_code == 200
        path.write_text(before.replace(first, both))
        assert await reloading.reload() is True
        await asyncio.sleep(0.3)
        signing[0] = new
        await asyncio.sleep(0.5)
        path.write_text(before.replace(first, after))
        assert await reloading.reload() is True
        await asyncio.sleep(0.3)
        done.set()

    assert len(statuses) > 40
    assert set(statuses) == {200}
    # A token of the removed key, which was remembered as good, is refused from then on.
    assert (await changing.http.post(test, headers=headers, content=b"{}")).status_code == 401


async def test_a_key_that_cannot_be_used_leaves_those_before(changing: Edge, tmp_path: Path) -> None:
    reloading = Reloading(changing.app.state.receiver)
    (tmp_path / "webhook.key").write_text(
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
    )
    assert await reloading.reload() is False
    assert await _message(changing) is None
