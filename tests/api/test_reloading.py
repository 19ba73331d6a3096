"""Rules are changed while hooks are answered: all of them or none."""

import asyncio
import getpass
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from api.auth import mint
from api.reloading import Reloading
from ledger.engine import Pool
from settings import Key, Settings, Store, load
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


def _write_keys(directory: Path, *names: str) -> None:
    """Those keys for as100's tokens, in that order."""
    path = directory / "hookledger.toml"
    listed = ", ".join(f'{{ name = "{name}", secret = {{ file = "{name}.key" }} }}' for name in names)
    lines = path.read_text().splitlines()
    place = lines.index("[tenants.as100.token]") + 1
    path.write_text("\n".join([*lines[:place], f"keys = [{listed}]", *lines[place + 1 :]]))


async def test_a_webhook_key_is_rotated_under_load_and_no_hook_is_turned_away(
    changing: Edge, tmp_path: Path
) -> None:
    """The platform signs with the old key, then with the new one; tokens of both were verified before, and are kept."""
    reloading = Reloading(changing.app.state.receiver)
    (tmp_path / "old.key").write_text((tmp_path / "webhook.key").read_text())
    (tmp_path / "new.key").write_text("n" * 48)
    _write_keys(tmp_path, "new")
    signers = {"old": mint("as100", changing.settings), "new": mint("as100", load(), subject="other")}
    sent: dict[str, list[int]] = {"old": [], "new": []}
    signing, going = "old", True

    async def send(key: str) -> int:
        headers = {"Authorization": f"Bearer {signers[key]}", "Content-Type": "application/json"}
        body = {"request": {"user": person()}}
        url = f"http://127.0.0.1:{changing.port}/webhook/postUpdateUser"
        return (await changing.http.post(url, json=body, headers=headers)).status_code

    async def platform() -> None:
        while going:
            key = signing
            sent[key].append(await send(key))

    async def some_more(key: str) -> None:
        enough = len(sent[key]) + 20
        while len(sent[key]) < enough:  # noqa: ASYNC110 - others count
            await asyncio.sleep(0.01)

    assert await send("new") == 401, "it is not configured yet"
    senders = [asyncio.create_task(platform()) for _ in range(4)]
    await some_more("old")
    _write_keys(tmp_path, "old", "new")
    assert await reloading.reload() is True
    await some_more("old")
    signing = "new"
    await some_more("new")
    _write_keys(tmp_path, "new")
    assert await reloading.reload() is True
    assert await send("old") == 401, "who was verified by the key that is gone is so no more"
    await some_more("new")
    going = False
    await asyncio.gather(*senders)

    assert min(len(sent["old"]), len(sent["new"])) >= 40
    assert set(sent["old"] + sent["new"]) == {200}


def _signed(settings: Settings, secret: str) -> str:
    """A good token of as100, but for its key."""
    tenant = settings.tenants["as100"]
    token = tenant.token.model_copy(update={"keys": (Key(secret=secret),)})
    tenants = {"as100": tenant.model_copy(update={"token": token})}
    return mint("as100", settings.model_copy(update={"tenants": tenants}))


async def test_a_spare_key_comes_and_goes_with_what_is_in_its_file(changing: Edge, tmp_path: Path) -> None:
    """Its file is mounted once, empty: nothing else has to be changed for a rotation."""
    reloading = Reloading(changing.app.state.receiver)
    spare = tmp_path / "next.key"
    spare.touch()
    _write_keys(tmp_path, "webhook", "next")
    path = tmp_path / "hookledger.toml"
    path.write_text(path.read_text().replace('name = "next",', 'name = "next", spare = true,'))

    async def status(secret: str) -> int:
        headers = {
            "Authorization": f"Bearer {_signed(changing.settings, secret)}",
            "Content-Type": "application/json",
        }
        url = f"http://127.0.0.1:{changing.port}/webhook/postUpdateUser"
        answer = await changing.http.post(url, json={"request": {"user": person()}}, headers=headers)
        return answer.status_code

    old, new = (tmp_path / "webhook.key").read_text().strip(), "n" * 48
    for text, expected in (("", 401), (new, 200), ("", 401)):
        spare.write_text(text)
        assert await reloading.reload() is True
        assert (await status(old), await status(new)) == (200, expected)
    spare.unlink()
    assert await reloading.reload() is True
    spare.write_text("short")
    assert await reloading.reload() is False


async def test_keys_that_cannot_be_are_not_taken(changing: Edge, tmp_path: Path, log: Logged) -> None:
    (tmp_path / "public.key").write_text(f"-----BEGIN PUBLIC KEY-----\n{'x' * 64}\n-----END PUBLIC KEY-----")
    (tmp_path / "more.toml").write_text(RULE)
    _write_keys(tmp_path, "public")
    assert await Reloading(changing.app.state.receiver).reload() is False
    assert await _message(changing) is None, "neither are the rules that came with them"
    assert any("keys not loaded" in line and "public is a public key" in line for line in log.lines)


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


async def test_a_key_that_cannot_be_used_leaves_those_before(changing: Edge, tmp_path: Path) -> None:
    reloading = Reloading(changing.app.state.receiver)
    (tmp_path / "webhook.key").write_text(
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
    )
    assert await reloading.reload() is False
    assert await _message(changing) is None


async def test_a_list_of_addresses_waits_for_the_proxies_that_it_is_to_stand_beside(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Logged
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    path = tmp_path / "hookledger.toml"
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(path))
    async with listen(configure(tmp_path, store, api='forwarded_allow_ips = "*"')) as edge:
        text = path.read_text().replace('"*"', '"10.0.0.5"')
        path.write_text(text.replace("[tenants.as100]", '[tenants.as100]\nallow = ["203.0.113.7"]'))
        receiver = edge.app.state.receiver

        assert await Reloading(receiver).reload() is False

        assert receiver.settings.tenants["as100"].allow == ()
    assert "tenants.as100.allow: cannot stand beside" in "\n".join(log.lines)
