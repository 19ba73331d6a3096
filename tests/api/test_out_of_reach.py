"""Answers while the store or Temporal is out of reach (CASES 10, 12): bounded, closed, and said in words."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaos.relay import Relay
from hooks import by_name
from hooks.hook import Kind
from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, configure, listen, logged
from tests.api.leaks import PASSWORD, found
from tests.commands.databases import database
from tests.commands.keeping_nothing import CLOSED, close
from tests.conftest import TEMPLATE
from tests.support import Servers, rows

DEADLINE = 1.0
EVENTS = sorted(hook.name for hook in by_name().values() if hook.kind is Kind.EVENT)
USER = {"login": "unreachable", "email": "unreachable@example.com", "password": PASSWORD}


@contextlib.contextmanager
def closed_port() -> Generator[int]:
    """A port that refuses: bound, so that nobody else takes it, but not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def silent_port() -> Generator[int]:
    """A port that accepts and never says a word, as a hung host does."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


def _store(port: int) -> Store:
    url = f"postgresql://nobody:{PASSWORD}@127.0.0.1:{port}/nothing"
    return Store(url=url, owner_url=url)


@pytest.fixture(scope="module", params=[closed_port, silent_port], ids=lambda port: port.__name__)
async def lost(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    """An edge whose store is not there; its log holds no secret."""
    with pytest.MonkeyPatch.context() as patch, request.param() as port, logged() as log:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        configured = configure(tmp_path_factory.mktemp("lost"), _store(port), api=f"deadline = {DEADLINE}")
        async with listen(configured) as edge:
            yield edge
    assert any("store" in line for line in log.lines), "the loss is logged"
    assert found({"log": "\n".join(log.lines)}) == []


async def _timed(edge: Edge, name: str, request: dict[str, Any]) -> httpx.Response:
    started = time.monotonic()
    got = await edge.hook(name, request)
    assert time.monotonic() - started < DEADLINE + 0.5
    return got


# The first calls time out at the store, the later ones find the breaker open: both must answer.
@pytest.mark.parametrize("call", range(5))
async def test_validation_is_closed(lost: Edge, call: int) -> None:
    for name in ("validateUser", "validateUpdateUser"):
        got = await _timed(lost, name, {"user": USER})
        assert got.status_code == 200
        assert got.json() == {"response": {"error": True, "message": "ValidationUnavailable"}}


async def test_nobody_is_deprovisioned(lost: Edge) -> None:
    got = await _timed(lost, "runDeprovision", {"user": USER})

    assert (got.status_code, got.json()) == (200, {"response": {"data": False}})


async def test_policy_map_knows_its_answer_without_the_store(lost: Edge) -> None:
    request = {"targetAttribute": "mail", "cymmetrifield": "email", "defaultValue": "d", "user": USER}

    got = await _timed(lost, "policyMap", request)

    assert (got.status_code, got.json()) == (200, {"response": {"mappedValue": USER["email"]}})


async def test_the_platform_s_test_is_answered(lost: Edge) -> None:
    got = await lost.send("/webhook/test", "{}")

    assert (got.status_code, got.json()) == (200, {"response": {}})


@pytest.mark.parametrize("name", EVENTS)
async def test_an_event_that_cannot_be_stored_is_not_taken(lost: Edge, name: str) -> None:
    got = await _timed(lost, name, {"user": USER, "passwordText": PASSWORD})

    assert (got.status_code, got.headers["content-type"]) == (503, "application/problem+json")
    assert int(got.headers["retry-after"]) >= 1
    assert got.json()["type"] == "urn:hookledger:problem:store_unavailable"
    assert PASSWORD not in got.text


async def test_many_at_once_are_answered_in_time(lost: Edge) -> None:
    answers = await asyncio.gather(*(_timed(lost, "validateUser", {"user": USER}) for _ in range(40)))

    assert {got.text for got in answers} == {'{"response":{"error":true,"message":"ValidationUnavailable"}}'}


async def test_after_three_that_waited_in_vain_nobody_waits_but_a_probe(lost: Edge) -> None:
    """Each of the three had its place at the store and no connection: that counts as no answer."""
    await asyncio.gather(*(lost.hook("validateUser", {"user": USER}) for _ in range(3)))

    took = list[float]()
    for _ in range(5):
        started = time.monotonic()
        await lost.hook("validateUser", {"user": USER})
        took.append(time.monotonic() - started)

    *others, _ = sorted(took)
    assert max(others) < DEADLINE / 2


async def test_it_is_alive_but_not_ready(lost: Edge) -> None:
    live = await lost.http.get(f"http://127.0.0.1:{lost.port}/health/live")
    ready = await lost.http.get(f"http://127.0.0.1:{lost.port}/health/ready")

    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["store"] == "out of reach"


@pytest.mark.parametrize("words", CLOSED)
async def test_a_store_that_keeps_nothing_is_not_ready_and_is_told_in_words(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with database(servers, TEMPLATE) as store:
        await close(store, CLOSED[words])
        for spool, status in (("", 503), ('[spool]\nfolder = "spool"', 200)):
            async with listen(configure(tmp_path, store, api=spool)) as edge:
                ready = await edge.http.get(f"http://127.0.0.1:{edge.port}/health/ready")
                assert (ready.status_code, ready.json()["store"].startswith(words)) == (status, True)
                event = await edge.hook("postCreateUser", {"user": USER})
                assert event.status_code == status, "it says what a hook would be told"


async def test_a_caller_that_dawdles_is_let_go(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(configure(tmp_path, store, api="deadline = 0.3")) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        head = f"POST /webhook/test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {edge.token()}\r\n"
        writer.write(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"a":'.encode())

        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 2)

        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")


async def test_temporal_is_not_needed_to_take_hooks(
    store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work waits in the store, for the sweep to ring once Temporal is back."""
    logins = [f"stranded{tmp_path.name}{n}".lower() for n in range(50)]
    with closed_port() as port, logged() as log:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")
        async with listen(configure(tmp_path, store, api=f"deadline = {DEADLINE}")) as edge:
            answers = await asyncio.gather(
                *(
                    _timed(edge, "postCreateUser", {"user": {"login": login, "password": PASSWORD}})
                    for login in logins
                )
            )
            assert {(got.status_code, got.text) for got in answers} == {(200, '{"response":{}}')}

    waiting = await rows(
        pool,
        "SELECT count(DISTINCT w.subject) AS people FROM work w JOIN handles h ON h.subject = w.subject"
        " LEFT JOIN rings r ON r.subject = w.subject"
        " WHERE h.value = ANY ($1) AND w.settled_at IS NULL AND r.subject IS NULL",
        logins,
    )
    assert waiting == [{"people": 50}]
    assert any("ring left to the sweep" in line for line in log.lines)
    assert found({"log": "\n".join(log.lines)}) == []


async def test_a_store_that_comes_back_is_used_again(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    relay = Relay([servers.port])
    async with relay.plugged() as port:
        away = Store(url=store.url.replace(f":{servers.port}/", f":{port}/"), owner_url=store.owner_url)
        async with listen(configure(tmp_path, away, api=f"deadline = {DEADLINE}")) as edge:
            user = {"user": {"login": f"back{port}"}}
            assert "data" in await edge.answer("validateUser", user)
            relay.cut()
            answers = [await edge.answer("validateUser", user) for _ in range(5)]
            assert answers == [{"error": True, "message": "ValidationUnavailable"}] * 5
            assert (await edge.hook("postCreateUser", user)).status_code == 503
            relay.mend()
            await asyncio.sleep(1.1)  # the breaker's pause between two probes
            assert (await edge.hook("postCreateUser", user)).status_code == 200

    taken = await rows(pool, "SELECT d.hook FROM deliveries d JOIN handles h ON h.subject = d.subject WHERE h.value = $1 AND d.verdict <> 'turned away' ORDER BY d.seq", f"back{port}")  # fmt: skip
    assert [row["hook"] for row in taken] == ["validateUser", "postCreateUser"]


async def test_a_slow_store_is_not_waited_for_once_more_to_tell_it_that_nobody_waits(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    deadline, relay = 2.0, Relay([servers.port])
    async with relay.plugged() as port:
        away = Store(url=store.url.replace(f":{servers.port}/", f":{port}/"), owner_url=store.owner_url)
        async with listen(configure(tmp_path, away, api=f"deadline = {deadline}")) as edge:
            user = {"user": {"login": f"slow{port}"}}
            assert "data" in await edge.answer("validateUser", user)
            relay.delay = 1.5
            for _ in range(2):
                started = time.monotonic()
                assert await edge.answer("validateUser", user) == {
                    "error": True,
                    "message": "ValidationUnavailable",
                }
                assert time.monotonic() - started < deadline
            relay.delay = 0.0
            for _ in range(100):
                if "data" in await edge.answer("validateUser", user):
                    break
                await asyncio.sleep(0.1)
            else:
                pytest.fail("the store is not asked again")
