"""`python -m bench.overload`: storms of events at full speed, while decisions are asked at a modest pace."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Annotated, Any
from uuid import UUID

import psutil
import typer

from bench.load import percentile
from bench.stack import BenchError, Served, Stack, stack
from dev.processes import StackError

MOST_GROWTH = 1.3
MOST_SLOWER = 5.0
FIRST = 10_000
"""Hooks after which memory is looked at for the first time."""
_EVENT, _DECISION = "postProvision", "validateUser"
_ASKING = ("--connections", "4", "--pause", "0.1")
"""Not quite 40 decisions a second."""
_IDLE_SECONDS = 15.0
_LEAST_SAMPLES = 100
"""Of decisions in a round, else its p99 would be a single answer's."""
_LOOK = 0.25
"""Seconds between two looks at the api's memory."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The last line. `lost`: events that were answered 200 but are not in the ledger, and those without an answer.

    `recorded_anyway`: events that were told to come again, and are in the ledger: the store answered too late.
    """

    hooks: int
    answered: int
    turned_away: int
    recorded_anyway: int
    hooks_per_s: float
    rss_after_10000_mb: float
    rss_end_mb: float
    rss_most_mb: float
    rss_ratio: float
    decision_p99_idle_ms: float
    decision_p99_storm_ms: float
    p99_ratio: float
    p99s_idle_ms: list[float]
    p99s_storm_ms: list[float]
    rounds: int
    lost: int

    @property
    def hold(self) -> bool:
        """Whether they are what is promised."""
        return self.lost == 0 and self.rss_ratio <= MOST_GROWTH and self.p99_ratio <= MOST_SLOWER


@dataclass
class _Book:
    """What is noted on the way."""

    hooks: int = 0
    answered: int = 0
    turned_away: int = 0
    seconds: float = 0.0
    broken: int = 0
    told_to_come_again: list[str] = field(default_factory=list[str])
    idle: list[float] = field(default_factory=list[float])
    storm: list[float] = field(default_factory=list[float])

    def note(self, got: dict[str, Any], count: int) -> None:
        """A storm's figures. Raises BenchError for an answer that is neither good nor an invitation to come again."""
        if bad := got["non_2xx"] - got["turned_away"] + got["refused"]:
            raise BenchError(f"{bad} of {count} events were answered neither 200 nor 429 nor 503")
        self.hooks += count
        self.answered += got["hooks"] - got["turned_away"]
        self.turned_away += got["turned_away"]
        self.told_to_come_again += got["turned_away_receipts"]
        self.broken += count - got["hooks"]
        self.seconds += got["last_at"] - got["first_at"]


def measure(hooks: int, rounds: int, connections: int, *, with_worker: bool = True) -> Figures:
    """The first 10,000 hooks, then the rest in rounds: decisions alone, decisions beside a storm."""
    book = _Book()
    say("starting Postgres, Temporal, an api" + ", a worker" * with_worker)
    with stack() as one:
        api = one.hookledger("overload")
        if with_worker:
            one.hookledger_worker(api)
        worker = one.running[-1] if with_worker else None
        with _watched(api) as memory:
            first = min(FIRST, hooks)
            say(f"the first {first:,} hooks")
            book.note(_events(one, api, 1, first, connections), first)
            began_mb = _memory_mb(api)
            say(f"the api has {began_mb:.0f} MB; {book.answered / book.seconds:.0f} hooks a second")
            for number in range(rounds):
                with _held(worker):
                    _alone(one, api, book, number)
                _beside(one, api, book, number, (hooks - first) // rounds, connections)
                say(f"the api has {_memory_mb(api):.0f} MB")
            ended_mb = _memory_mb(api)
        anyway = _recorded(one, api, book.told_to_come_again)
        lost = book.broken + book.answered - (_stored(one, api, _EVENT) - anyway)
    ratios = [s / i for i, s in zip(book.idle, book.storm, strict=True)]
    return Figures(
        hooks=book.hooks,
        answered=book.answered,
        turned_away=book.turned_away,
        recorded_anyway=anyway,
        hooks_per_s=round(book.answered / book.seconds, 1),
        rss_after_10000_mb=round(began_mb, 1),
        rss_end_mb=round(ended_mb, 1),
        rss_most_mb=round(max(memory, default=ended_mb), 1),
        rss_ratio=round(ended_mb / began_mb, 3),
        decision_p99_idle_ms=round(median(book.idle), 2),
        decision_p99_storm_ms=round(median(book.storm), 2),
        p99_ratio=round(median(ratios), 2),
        p99s_idle_ms=[round(p99, 1) for p99 in book.idle],
        p99s_storm_ms=[round(p99, 1) for p99 in book.storm],
        rounds=rounds,
        lost=lost,
    )


def say(words: str) -> None:
    """Progress, for who waits."""
    print(words, file=sys.stderr, flush=True)


@contextmanager
def _held(worker: subprocess.Popen[bytes] | None) -> Generator[None]:
    """Its backlog of one storm would make what is called idle busy, and so the next storm look harmless."""
    if worker is None:
        yield
        return
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


def _alone(one: Stack, api: Served, book: _Book, number: int) -> None:
    """Decisions without a storm."""
    with _asked(one, api, 900 + number) as idle:
        time.sleep(_IDLE_SECONDS)
    book.idle.append(_p99(ms for _, ms in idle))
    say(f"round {number + 1}: decisions' p99 {book.idle[-1]:.1f} ms idle, of {len(idle)}")


def _beside(one: Stack, api: Served, book: _Book, number: int, count: int, connections: int) -> None:
    """The same with a storm of so many."""
    with _asked(one, api, 800 + number) as during:
        got = _events(one, api, 10 + number, count, connections)
    book.note(got, count)
    book.storm.append(_p99(ms for at, ms in during if got["first_at"] < at - ms / 1000 <= got["last_at"]))
    speed = got["hooks"] / (got["last_at"] - got["first_at"])
    say(
        f"round {number + 1}: decisions' p99 {book.storm[-1]:.1f} ms beside {speed:.0f} hooks a second,"
        f" {got['turned_away']} turned away"
    )


def _p99(values: Generator[float]) -> float:
    ordered = sorted(values)
    if len(ordered) < _LEAST_SAMPLES:
        raise BenchError(f"{len(ordered)} decisions make no p99: ask for more hooks")
    return percentile(ordered, 0.99)


def _events(one: Stack, api: Served, seed: int, count: int, connections: int) -> dict[str, Any]:
    """A storm of so many, as fast as they are answered; each about somebody new."""
    options = ("--count", str(count), "--connections", str(connections), "--seed", str(seed))
    command = one.load_command(_EVENT, api.port, *options, "--seconds", "3600")
    done = subprocess.run(command, env=one.environment, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise BenchError(f"the storm went wrong: {done.stderr[-500:]}")
    return json.loads(done.stdout)


@contextmanager
def _asked(one: Stack, api: Served, seed: int) -> Generator[list[tuple[float, float]]]:
    """Decisions are asked for while the block runs; then the list has when each answer came, after how many ms."""
    samples: list[tuple[float, float]] = []
    options = (*_ASKING, "--count", "10000", "--seconds", "3600", "--samples", "--seed", str(seed))
    command, before = one.load_command(_DECISION, api.port, *options), _stored(one, api, _DECISION)
    with subprocess.Popen(command, env=one.environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            while _stored(one, api, _DECISION) == before and process.poll() is None:
                time.sleep(0.2)  # its requests are made before the first is sent
            yield samples
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
    got = json.loads(output)
    if got["non_2xx"] or got["broken"] or got["refused"]:
        raise BenchError(f"decisions: {got['non_2xx']} not answered, {got['refused']} refused")
    samples += got["samples"]


@contextmanager
def _watched(api: Served) -> Generator[list[float]]:
    """Looks at the api's memory while the block runs."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK):
            seen.append(_memory_mb(api))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def _memory_mb(api: Served) -> float:
    return psutil.Process(api.process.pid).memory_info().rss / 1e6


def _stored(one: Stack, api: Served, hook: str) -> int:
    query = f"SELECT count(*) FROM deliveries WHERE hook = '{hook}'"
    return int(one.postgres.sql(query, api.database.name))


def _recorded(one: Stack, api: Served, receipts: list[str]) -> int:
    listed = ",".join(str(UUID(receipt)) for receipt in receipts)
    query = f"SELECT count(*) FROM deliveries WHERE id = ANY('{{{listed}}}')"
    return int(one.postgres.sql(query, api.database.name))


def main(
    hooks: Annotated[int, typer.Option(min=5_000, help="Events in all.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Storms after the first 10,000.")] = 5,
    connections: Annotated[int, typer.Option(min=1, help="Of a storm.")] = 64,
    worker: Annotated[
        bool, typer.Option(help="With a worker, which shares the processor with the api.")
    ] = True,
) -> None:
    """Storms the api with events while it is asked for decisions; the last line is one JSON object."""
    try:
        figures = measure(hooks, rounds, connections, with_worker=worker)
    except (BenchError, StackError) as wrong:
        say(str(wrong))
        raise typer.Exit(2) from None
    print(json.dumps(asdict(figures)))
    raise typer.Exit(0 if figures.hold else 1)


if __name__ == "__main__":
    sys.argv[0] = "python -m bench.overload"
    typer.run(main)
