"""TLS handshakes that never end are bounded in time and number, and others are answered; on both kinds of loop."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api import handshakes
from settings import Api, Tls
from tests.api.edge import serving
from tests.api.test_locks import Authority

Play = Callable[["_Door"], Awaitable[None]]
Run = Callable[[Play], Coroutine[Any, Any, None]]


class _Door:
    """A listener with TLS."""

    def __init__(self, port: int, authority: Authority) -> None:
        self.port = port
        self.authority = authority
        self.silent: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def be_silent(self, times: int, says: bytes = b"") -> None:
        """So many connections that never end a handshake."""
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(says)
            self.silent.append((reader, writer))

    async def open(self) -> list[bool]:
        """Which of them are not hung up on."""
        await asyncio.sleep(0.3)
        return await asyncio.gather(*(_is_open(reader) for reader, _ in self.silent))

    async def call(self, body: bytes = b"x") -> dict[str, Any]:
        """What a good caller is answered."""
        context = ssl.create_default_context(cafile=self.authority.file)
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
            )
            head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            got = await reader.read(-1)
            writer.close()
        assert got.startswith(b"HTTP/1.1 200"), got
        return json.loads(got.partition(b"\r\n\r\n")[2])


async def _is_open(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.1):
            await reader.read(-1)
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


async def _told(request: Request) -> JSONResponse:
    assert request.client
    body = await request.body()
    return JSONResponse({"scheme": request.url.scheme, "client": request.client.host, "octets": len(body)})


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Plays on a loop of that kind, as client and server."""
    authority = Authority(tmp_path, "ours")
    certificate, key = authority.issue("localhost")
    listener = Api(tls=Tls(certificate=certificate, key=key))

    async def played(play: Play) -> None:
        async with serving(Starlette(routes=[Route("/", _told, methods=["POST"])]), listener) as port:
            door = _Door(port, authority)
            await play(door)
            for _, writer in door.silent:
                writer.close()

    def on_its_loop(play: Play) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(played(play))

    return lambda play: asyncio.to_thread(on_its_loop, play)


async def test_a_call_comes_as_over_tls(run: Run) -> None:
    async def play(door: _Door) -> None:
        told = await door.call(b"x" * 300_000)
        assert told == {"scheme": "https", "client": "127.0.0.1", "octets": 300_000}

    await run(play)


async def test_who_never_says_a_word_is_hung_up_on_and_others_are_answered(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_WITHIN", 2.0)

    async def play(door: _Door) -> None:
        await door.be_silent(50)
        await door.be_silent(10, b"\x16\x03\x01\x02\x00\x01")
        assert all(await door.open())
        await door.call()
        async with asyncio.timeout(5):
            while any(await door.open()):
                pass

    await run(play)


async def test_what_is_no_tls_is_hung_up_on_at_once(run: Run) -> None:
    async def play(door: _Door) -> None:
        await door.be_silent(5, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not any(await door.open())
        await door.call()

    await run(play)


async def test_for_one_more_than_so_many_the_longest_is_hung_up_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 8)

    async def play(door: _Door) -> None:
        await door.be_silent(20)
        assert await door.open() == [False] * 12 + [True] * 8, "those that came first"
        await door.call()
        assert await door.open() == [False] * 13 + [True] * 7, "a good call has taken the place of one"

    await run(play)
