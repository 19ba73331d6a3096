"""The relay between processes: it hands on, falls over to the next target, is slow, and can be cut and mended."""

import asyncio
import time

import pytest

from chaos.relay import Relay


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def _said(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text)
        return await reader.readexactly(len(text))
    finally:
        writer.close()


async def test_it_carries_falls_over_slows_and_is_cut() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relay = Relay([1, port])  # nobody listens on the first
    await relay.listen()
    assert [await _said(relay.port, b"a") for _ in range(3)] == [b"a"] * 3

    relay.delay = 0.1
    begun = time.monotonic()
    await _said(relay.port, b"slow")
    assert time.monotonic() - begun >= 0.2
    relay.delay = 0.0

    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"x")
    await reader.readexactly(1)
    relay.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _said(relay.port, b"b")

    relay.mend()
    assert await _said(relay.port, b"c") == b"c"
    await relay.close()
    server.close()
    await asyncio.sleep(0.1)
