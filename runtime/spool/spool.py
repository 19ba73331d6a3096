"""The spool of one process: what comes at the same time shares one write to the disk."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from runtime.spool.frames import MOST_TEXT
from runtime.spool.journal import Entry, Figures, Journal, NoRoom, TooLong
from runtime.spool.state import PLACES

_MOST_WAITING = 2_000
_MOST_OCTETS = 64 * 1024 * 1024
"""What waits for the disk at once; further callers are turned away: memory is bounded, too."""

T = TypeVar("T")


class Spool:
    """Of one event loop. The files are touched on a thread of its own."""

    def __init__(self, journal: Journal, key: bytes) -> None:
        self.journal = journal
        """The files; to be touched by way of `on_thread` only."""
        self.trouble = ""
        """Why the folder cannot be used, and what to do; empty while it can."""
        self._salt = hashlib.blake2b(key, digest_size=16, person=b"spool/places").digest()
        self._thread = ThreadPoolExecutor(1, "spool")
        self._pending: list[tuple[Entry, asyncio.Future[None]]] = []
        self._octets = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def waits(self) -> bool:
        """Whether any process of this host has something that is not recorded yet."""
        return self.journal.state.waits

    def waits_for(self, tenant: str, *names: str | None) -> bool:
        """Whether something waits that is about a person of these names."""
        return self.journal.state.waits_for(self.places(tenant, *names))

    def places(self, tenant: str, *names: str | None) -> tuple[int, int]:
        """Where a person is counted: by each of at most two names. Keyed, so that a place tells nothing."""
        given = [name for name in names if name]
        found = [self._place(tenant, name) for name in given[:2]]
        return (found[0], found[-1]) if found else (0, 0)

    async def append(self, text: bytes, at: int, places: tuple[int, int]) -> None:
        """Keeps one record; on disk when this returns. Raises NoRoom."""
        if len(text) > MOST_TEXT:
            raise TooLong  # before it is written with others, which would fail with it
        if len(self._pending) >= _MOST_WAITING or self._octets + len(text) > _MOST_OCTETS:
            raise NoRoom
        kept = asyncio.get_running_loop().create_future()
        kept.add_done_callback(_seen)
        self._pending.append((Entry(text, at, places), kept))
        self._octets += len(text)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(kept)

    async def on_thread(self, deed: Callable[[], T]) -> T:
        """What touches the files, one after the other, without holding up the answers."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, deed)

    def figures(self) -> Figures:
        """How the spool stands; memory only."""
        return self.journal.figures()

    def free(self) -> int:
        """Octets that may still be kept."""
        return self.journal.free()

    async def close(self) -> None:
        """Waits for what is being written. What waits stays for who comes next."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
        self._thread.shutdown(wait=True)
        self.journal.close()

    async def _write(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                octets = sum(len(entry.text) for entry, _ in batch)
                wrong: Exception | None = None
                try:
                    await self.on_thread(partial(self.journal.append, [entry for entry, _ in batch]))
                except NoRoom as full:
                    wrong = full
                except Exception as fault:  # whoever waits must be told
                    wrong = NoRoom(type(fault).__name__)
                self._octets -= octets  # what is being written is still in memory
                for _, kept in batch:
                    if not kept.done():
                        kept.set_exception(wrong) if wrong else kept.set_result(None)
        finally:
            self._writing = None

    def _place(self, tenant: str, name: str) -> int:
        digest = hashlib.blake2b(f"{tenant}\x00{name}".encode(), key=self._salt, digest_size=4).digest()
        return int.from_bytes(digest, "little") % PLACES


def _seen(kept: asyncio.Future[None]) -> None:
    """Who waited may have left by now: that it went wrong is then nobody's to hear."""
    if not kept.cancelled():
        kept.exception()
