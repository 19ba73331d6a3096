"""Callers that hold what they were given: each is bounded in what and how long, and others are answered meanwhile."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api import body, patience
from settings import Store
from tests.api.edge import Edge, configure, listen
from tests.api.people import unique
from tests.support import Servers

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class _Line:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, octets: bytes) -> None:
        """Sends, and waits for nothing."""
        self.writer.write(octets)

    async def rest(self, within: float = 5.0) -> bytes:
        """All that comes until the other side ends the connection. Raises TimeoutError if it does not."""
        got = b""
        async with asyncio.timeout(within):
            try:
                while more := await self.reader.read(65_536):
                    got += more
            except ConnectionError:
                pass
        return got

    async def answers(self, count: int) -> list[int]:
        """The statuses of so many answers, or of fewer if the connection ends."""
        got = b""
        async with asyncio.timeout(20):
            while len(_statuses(got)) < count and (more := await self.reader.read(65_536)):
                got += more
        return _statuses(got)


@dataclass
class _Host:
    """An edge of the test's own, and the lines to it."""

    edge: Edge
    lines: list[_Line] = field(default_factory=list[_Line])

    async def line(self) -> _Line:
        line = _Line(*await asyncio.open_connection("127.0.0.1", self.edge.port))
        self.lines.append(line)
        return line

    def call(self, hook: str = "test", content: bytes = b"{}", length: int | None = None) -> bytes:
        """A call, or the part of one that has this much of its body."""
        head = (
            f"POST /webhook/{hook} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.edge.token()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length or len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def answers_others(self) -> None:
        """A call of somebody else is answered within its deadline."""
        async with asyncio.timeout(self.edge.settings.api.deadline):
            answer = await self.edge.answer("validateUser", {"user": {"login": unique()}})
        assert "data" in answer


@pytest.fixture
async def host(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[_Host]:
    async with _host(servers, store, tmp_path, monkeypatch) as host:
        yield host


@asynccontextmanager
async def _host(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str = ""
) -> AsyncGenerator[_Host]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(configure(tmp_path, store, api=api or "deadline = 2.0")) as edge:
        host = _Host(edge)
        try:
            yield host
        finally:
            for line in host.lines:
                line.writer.transport.abort()


def _statuses(got: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(got)]


async def test_one_connection_takes_call_after_call(host: _Host) -> None:
    line = await host.line()
    for _ in range(3):
        line.say(host.call())
        assert (await line.reader.readuntil(b"{}}")).startswith(b"HTTP/1.1 200")


async def test_three_hundred_that_say_nothing_are_hung_up_on(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_WITHIN", 1.5)
    lines = [await host.line() for _ in range(300)]

    await host.answers_others()

    assert set(await asyncio.gather(*(line.rest() for line in lines))) == {b""}


async def test_heads_without_end_are_cut_off_by_their_length(host: _Host) -> None:
    lines = [await host.line() for _ in range(30)]
    for line in lines:
        line.say(b"POST /webhook/test HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 12_000)

    await host.answers_others()

    assert {tuple(_statuses(got)) for got in await asyncio.gather(*(line.rest() for line in lines))} <= {
        (400,),
        (),
    }


async def test_a_body_that_goes_on_after_its_408_does_not_hold_the_connection(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "REST_WITHIN", 0.5)
    async with _host(servers, store, tmp_path, monkeypatch, "deadline = 0.7") as host:
        line = await host.line()
        line.say(host.call(content=b"{", length=1000))
        dripping = asyncio.create_task(_drip(line, b" "))

        await host.answers_others()
        got = await line.rest()

        dripping.cancel()
    assert _statuses(got) == [408]


async def test_a_refused_caller_may_end_its_body_and_call_again(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that sends head and body apart, and hears of its token in between."""
    monkeypatch.setattr(patience, "REST_WITHIN", 0.5)
    line = await host.line()
    line.say(b"POST /webhook/test HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
    assert (await line.reader.readuntil(b"}")).startswith(b"HTTP/1.1 401")
    line.say(b"{}")
    await asyncio.sleep(0.8)

    line.say(host.call())

    assert (await line.reader.readuntil(b"{}}")).startswith(b"HTTP/1.1 200")


async def test_octets_between_calls_do_not_hold_a_connection(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser passes over empty lines before a request (RFC 9112, 2.2)."""
    monkeypatch.setattr(patience, "HEAD_WITHIN", 1.0)
    line = await host.line()
    line.say(host.call())
    await line.reader.readuntil(b"{}}")
    dripping = asyncio.create_task(_drip(line, b"\r\n"))

    await host.answers_others()

    assert await line.rest() == b""
    dripping.cancel()


async def _drip(line: _Line, octets: bytes) -> None:
    while not line.writer.is_closing():
        line.say(octets)
        await asyncio.sleep(0.1)


async def test_a_hundred_calls_at_once_are_answered_one_after_the_other(host: _Host) -> None:
    line = await host.line()
    line.say(host.call() * 100)

    await host.answers_others()

    assert await line.answers(100) == [200] * 100


async def test_calls_are_read_as_they_can_be_answered(host: _Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn reads on after each answer: what it had read and not answered grew without end."""
    monkeypatch.setattr(patience, "MOST_PIPELINED", 25)
    line = await host.line()
    line.say(host.call() * 20)
    await line.reader.readuntil(b"{}}")

    line.say(host.call() * 20)

    assert await line.answers(39) == [200] * 39


async def test_more_calls_at_once_than_may_wait_end_the_connection(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "MOST_PIPELINED", 12)
    line = await host.line()
    line.say(host.call() * 20)

    assert 400 in _statuses(await line.rest())
    await host.answers_others()


async def test_who_does_not_read_the_answers_is_hung_up_on(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "READ_WITHIN", 0.5)
    with socket.create_connection(("127.0.0.1", host.edge.port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(5)
        user = {"login": unique(), "noted": "x" * 900_000}
        call = host.call("validateUser", json.dumps({"request": {"user": user}}).encode())

        def send() -> int:
            sent = 0
            try:
                for sent in range(30):  # noqa: B007
                    line.sendall(call)
            except ConnectionError:
                return sent
            return 30

        sent = await asyncio.to_thread(send)
        assert sent < 30, "it read and answered without end"
        await host.answers_others()


async def test_more_connections_than_are_taken_are_told_to_come_again(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _host(servers, store, tmp_path, monkeypatch, "most_connections = 8") as host:
        await host.answers_others()  # on one that is kept
        lines = [await host.line() for _ in range(7)]
        await asyncio.sleep(0.1)

        late = await host.line()
        got = await late.rest()
        await host.answers_others()
        lines[0].writer.close()
        await asyncio.sleep(0.1)
        again = await host.line()
        again.say(host.call())

        head, _, content = got.partition(b"\r\n\r\n")
        assert _statuses(head) == [503]
        assert b"retry-after: 2" in head
        assert b"content-type: application/problem+json" in head
        assert json.loads(content)["type"] == "urn:hookledger:problem:too_many_connections"
        assert (await again.reader.readuntil(b"{}}")).startswith(b"HTTP/1.1 200")


async def test_large_bodies_under_way_are_so_many(host: _Host) -> None:
    """Small ones find a place when no large one does, and a place is given back however a call ends."""
    receiver = host.edge.app.state.receiver
    receiver._shelf = shelf = body.Shelf(40 * 1024 * 1024)
    large = json.dumps({"request": {"user": {"login": unique(), "noted": "x" * 100_000}}}).encode()
    holding = await host.line()
    holding.say(host.call("postUpdateUser", large[:90_000], len(large)))
    await asyncio.sleep(0.3)

    refused = await host.edge.send("/webhook/postUpdateUser", large)
    await host.answers_others()
    holding.say(large[90_000:])
    await holding.reader.readuntil(b"{}}")
    taken = await host.edge.send("/webhook/postUpdateUser", large)
    wrong = await host.edge.send("/webhook/postUpdateUser", b"[" + large[:80_000])

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["type"] == "urn:hookledger:problem:too_many_large"
    assert (taken.status_code, wrong.status_code) == (200, 400)
    assert shelf.free == 1
