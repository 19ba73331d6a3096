"""The client: it counts what it sent, what came back, and what never did."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from bench import load
from bench.traffic import Step

GOOD = b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"response":{}}'
REFUSED = b'HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"error":true}'
FAULT = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
HANG_UP = b""
REQUEST = b"POST /webhook/test HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def server(*answers: bytes) -> AsyncGenerator[int]:
    """Gives these answers in turn, the last one for ever, in two pieces each; yields its port."""
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(len(REQUEST)):
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer == HANG_UP:
                break
            writer.write(answer[:20])
            await asyncio.sleep(0.001)
            writer.write(answer[20:])
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


async def _play(port: int, stories: int, connections: int = 2, seconds: float = 5.0) -> load.Figures:
    run = await load.play(
        [[Step("test", REQUEST)] for _ in range(stories)],
        port=port,
        connections=connections,
        seconds=seconds,
        limit=10,
    )
    return load.figures(run, client_cpu_s=0.0)


async def test_every_story_is_played_once() -> None:
    async with server(GOOD) as port:
        result = await _play(port, 25, connections=4)
    assert (result.hooks, result.non_2xx, result.refused, result.broken) == (25, 0, 0, 0)
    assert 0 < result.p50_ms <= result.p99_ms


async def test_faults_and_refusals_are_counted() -> None:
    async with server(FAULT, REFUSED, GOOD) as port:
        result = await _play(port, 5, connections=1)
    assert (result.hooks, result.non_2xx, result.refused) == (5, 1, 1)


async def test_a_connection_that_ends_in_a_request_is_counted_and_the_rest_goes_on() -> None:
    async with server(HANG_UP, GOOD) as port:
        result = await _play(port, 5, connections=1)
    assert (result.hooks, result.broken) == (4, 1)


async def test_no_story_starts_after_the_time() -> None:
    async with server(GOOD) as port:
        result = await _play(port, 100_000, seconds=0.2)
    assert 0 < result.hooks < 100_000


async def test_a_long_pause_outlives_the_servers_patience() -> None:
    async with server(GOOD) as port:
        pause = load.RECONNECT_PAUSE + 0.1
        story = [Step("test", REQUEST), Step("test", REQUEST, pause)]
        run = await load.play([story], port=port, connections=1, seconds=10, limit=10)
    assert (len(run.samples), run.broken) == (2, 0)


def test_an_answer_without_a_length_is_refused() -> None:
    assert load.answer_length(GOOD[:30]) is None
    assert load.answer_length(GOOD) == len(GOOD)
    with pytest.raises(ValueError, match="Content-Length"):
        load.answer_length(b"HTTP/1.1 200 OK\r\n\r\n")


def test_percentiles() -> None:
    values = [float(n) for n in range(1, 101)]
    assert load.percentile(values, 0.5) == 51
    assert load.percentile(values, 0.99) == 100
    assert load.percentile([7.0], 0.99) == 7
