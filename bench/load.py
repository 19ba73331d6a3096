"""A lean closed-loop client in a process of its own: it writes ready-made requests and times the answers."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from bench import traffic
from bench.traffic import Step, Story

RECONNECT_PAUSE = 3.0
"""Servers close idle connections after 5 s: before a longer pause than this the client hangs up itself."""
_COME_AGAIN = (429, 503)


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: when it came (seconds since the epoch), after how long (ms), and what it said."""

    at: float
    ms: float
    status: int
    refused: bool
    receipt: str | None = None
    """Of a call that was told to come again."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run measured. Times in seconds since the epoch; latencies in milliseconds."""

    hooks: int
    hooks_per_s: float
    p50_ms: float
    p99_ms: float
    non_2xx: int
    turned_away: int
    """Those of them that were told to come again: 429 and 503."""
    turned_away_receipts: list[str]
    """The receipts that these name."""
    refused: int
    broken: int
    """Requests that never got an answer."""
    first_at: float
    last_at: float
    client_cpu_s: float
    samples: list[tuple[float, float]] | None = None
    """Pairs of time and milliseconds, when asked for."""


class Run:
    """Hands stories to connections until none is left, or the time is over."""

    def __init__(self, stories: list[Story], *, seconds: float) -> None:
        self._stories = deque(stories)
        self._until = time.monotonic() + seconds
        self._stopped = False
        self.over = asyncio.Event()
        self.playing = 0
        self.samples: list[Sample] = []
        self.broken = 0

    def next_story(self) -> Story | None:
        """The next story, or None when it is time to stop."""
        if self._stopped or not self._stories or time.monotonic() > self._until:
            return None
        return self._stories.popleft()

    def stop(self) -> None:
        """No further request; answers on their way still count."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether stop() was called."""
        return self._stopped

    def left(self) -> None:
        """A connection has no more to play."""
        self.playing -= 1
        if self.playing == 0:
            self.over.set()


class Connection(asyncio.Protocol):
    """One connection that plays stories, one request at a time."""

    def __init__(self, run: Run, port: int) -> None:
        self._run = run
        self._port = port
        self._story: deque[Step] = deque()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = 0.0
        self._waiting = False
        self._connecting: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Opens the connection. Raises OSError if nobody listens."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol: a lost request is counted, not repeated."""
        del exc
        self._transport = None
        if self._waiting:
            self._waiting = False
            self._run.broken += 1
            self.advance()

    def advance(self) -> None:
        """Goes on to the next request, now or after its pause."""
        if not self._story:
            story = self._run.next_story()
            if story is None:
                self._leave()
                return
            self._story.extend(story)
        step = self._story.popleft()
        if step.pause == 0.0:
            self._send(step)
            return
        if step.pause > RECONNECT_PAUSE and self._transport is not None:
            self._transport.close()
            self._transport = None
        asyncio.get_running_loop().call_later(step.pause, self._send, step)

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol: a whole answer is timed and followed by the next request."""
        self._buffer = self._buffer + data if self._buffer else data
        length = answer_length(self._buffer)
        if length is None or len(self._buffer) < length:
            return
        ms = (time.perf_counter() - self._sent_at) * 1000
        status = int(self._buffer[9:12])
        refused, receipt = b'"error":' in self._buffer, None
        if status in _COME_AGAIN:
            receipt = json.loads(self._buffer[:length].partition(b"\r\n\r\n")[2]).get("receipt")
        self._run.samples.append(Sample(time.time(), ms, status, refused, receipt))
        self._buffer = self._buffer[length:]
        self._waiting = False
        self.advance()

    def _send(self, step: Step) -> None:
        if self._run.stopped:
            self._leave()
        elif self._transport is None or self._transport.is_closing():
            self._connecting = asyncio.create_task(self._reconnect(step))
        else:
            self._waiting = True
            self._sent_at = time.perf_counter()
            self._transport.write(step.request)

    async def _reconnect(self, step: Step) -> None:
        try:
            await self.connect()
        except OSError:
            self._run.broken += 1
            self.advance()
        else:
            self._send(step)

    def _leave(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._run.left()


def answer_length(buffer: bytes) -> int | None:
    """Octets of the answer at the head of the buffer; None while its header is not whole.

    Raises ValueError for an answer without Content-Length: neither side of a comparison may send one.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end].lower()
    start = head.find(b"content-length:")
    if start < 0:
        raise ValueError("an answer has no Content-Length; the client cannot tell where it ends")
    stop = head.find(b"\r\n", start)
    return end + 4 + int(head[start + 15 : stop if stop > 0 else end])


def percentile(sorted_values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed; nan of nothing."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def figures(run: Run, *, client_cpu_s: float, with_samples: bool = False) -> Figures:
    """The summary of a run."""
    samples = run.samples
    latencies = sorted(s.ms for s in samples)
    first_at = samples[0].at - samples[0].ms / 1000 if samples else 0.0
    last_at = samples[-1].at if samples else 0.0
    return Figures(
        hooks=len(samples),
        hooks_per_s=len(samples) / (last_at - first_at) if samples else 0.0,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        non_2xx=sum(1 for s in samples if not 200 <= s.status < 300),
        turned_away=sum(1 for s in samples if s.status in _COME_AGAIN),
        turned_away_receipts=[s.receipt for s in samples if s.receipt],
        refused=sum(1 for s in samples if s.refused),
        broken=run.broken,
        first_at=first_at,
        last_at=last_at,
        client_cpu_s=client_cpu_s,
        samples=[(s.at, s.ms) for s in samples] if with_samples else None,
    )


async def play(
    stories: list[Story], *, port: int, connections: int, seconds: float, limit: float = 600.0
) -> Run:
    """Plays the stories over so many connections: none starts after `seconds`, all are over by `limit`."""
    run = Run(stories, seconds=seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, run.stop)
    crew = [Connection(run, port) for _ in range(min(connections, len(stories)))]
    await asyncio.gather(*(c.connect() for c in crew))
    run.playing = len(crew)
    for connection in crew:
        connection.advance()
    async with asyncio.timeout(limit):
        await run.over.wait()
    return run


def main(arguments: list[str] | None = None) -> int:
    """Plays one load and prints its figures as one JSON object. Returns 1 if an answer was bad or missing."""
    options = _parser().parse_args(arguments)
    tokens = traffic.Tokens(os.environ["BENCH_SECRET"], tenant=options.tenant)
    if options.what == "storm":
        gap = (options.gap[0], options.gap[1]) if options.gap else None
        stories = traffic.storm(options.count, port=options.port, tokens=tokens, seed=options.seed, gap=gap)
    else:
        stories = traffic.singles(
            options.what,
            options.count,
            port=options.port,
            tokens=tokens,
            seed=options.seed,
            pause=options.pause,
        )
    before = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(
            play(
                stories,
                port=options.port,
                connections=options.connections,
                seconds=options.seconds,
                limit=options.seconds + 60,
            )
        )
    # Whoever asks to stop once all is played would else get half of the figures.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    result = figures(run, client_cpu_s=time.process_time() - before, with_samples=options.samples)
    print(json.dumps(asdict(result)))
    return 1 if result.non_2xx or result.broken or result.refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("what", choices=[*traffic.SINGLE, "storm"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tenant", default=traffic.TENANT, help="whose tokens; BENCH_SECRET signs them")
    parser.add_argument("--count", type=int, default=1000, help="requests, or users of a storm")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=600.0, help="no story starts after this")
    parser.add_argument("--seed", type=int, default=1, help="people are new for every seed")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each single request")
    parser.add_argument(
        "--gap", type=float, nargs=2, metavar=("LEAST", "MOST"), help="seconds between a user's hooks"
    )
    parser.add_argument("--samples", action="store_true", help="give every answer's time and latency")
    return parser


if __name__ == "__main__":
    sys.exit(main())
