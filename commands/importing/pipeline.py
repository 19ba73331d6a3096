"""Reads ahead and prepares chunks on every core, while the store takes those before; memory stays bounded."""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, parent_process

from commands.importing.files import RawChunk, Source, chunks
from commands.importing.prepare import Chunk, Job, Preparer

_ONE_PROCESS = 256 * 1024
"""Bytes of a file for which it is not worth to start others."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who prepares, and how many chunks may be with them at a time."""

    executor: Executor
    prepare: partial[Chunk]
    ahead: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: chunks of at most `rows` rows, of lines behind `after`, no row longer than `longest` bytes."""

    source: Source
    rows: int
    after: int
    longest: int


async def prepared(
    reading: Reading, workers: Workers, stopped: asyncio.Event
) -> AsyncGenerator[tuple[RawChunk, Chunk]]:
    """The chunks in order; ends early once `stopped` is set."""
    loop = asyncio.get_running_loop()
    raw = chunks(reading.source, reading.rows, reading.after, reading.longest)
    waiting: deque[tuple[RawChunk, asyncio.Future[Chunk]]] = deque()
    while not stopped.is_set():
        while len(waiting) < workers.ahead and (one := next(raw, None)) is not None:
            waiting.append((one, loop.run_in_executor(workers.executor, workers.prepare, one)))
        if not waiting:
            return
        one, future = waiting.popleft()
        yield one, await future


@contextmanager
def workers(size: int, job: Job) -> Generator[Workers]:
    """Starts one process for each core, if the file is worth it. To be called before there are threads or a loop.

    Forked, where that is safe, they need not load everything again, which takes as long as 20,000 rows do.
    """
    if size <= _ONE_PROCESS:
        with ThreadPoolExecutor(1) as threads:
            yield Workers(threads, partial(Preparer(job).chunk), 2)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    cores = os.cpu_count() or 1
    gc.freeze()
    pool = ProcessPoolExecutor(cores, context, initializer=_begin, initargs=(job,))
    try:
        pool.submit(os.getpid).result()
        yield Workers(pool, partial(_prepare), cores + 2)
    finally:
        pool.shutdown(cancel_futures=True)


_mine: list[Preparer] = []
"""The worker process's own."""


def _begin(job: Job) -> None:
    """Ctrl-C is the parent's to hear; and when the parent is gone, however it went, nobody waits for work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()
    _mine.append(Preparer(job))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _prepare(raw: RawChunk) -> Chunk:
    return _mine[0].chunk(raw)
