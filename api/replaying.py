"""Records what the spool keeps, in the order of receipt of each person, once the store is back."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from api.late import NEVER, WITHIN, Recorder
from api.receive import Receiver
from api.spooled import Event, read
from ledger.engine import Pool, StoreErrors
from ledger.late import record_spooled
from runtime.spool import Spool
from runtime.spool.frames import Frame

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 3
"""Connections that recording takes, beside those of callers."""


class _KeyMissing(Exception):
    """A record was sealed under a key that is not configured any more: it waits for the key."""


class Replayer:
    """One per process; of all processes of the host one at a time records."""

    def __init__(self, receiver: Receiver, recorder: Recorder, spool: Spool, pool: Pool) -> None:
        self._receiver, self._recorder, self._spool, self._pool = receiver, recorder, spool, pool

    async def replay_some(self) -> bool:
        """Records the oldest that wait. Whether more could be recorded now. Raises one of StoreErrors."""
        if not self._spool.waits:
            return False
        with self._spool.journal.reading() as mine:
            if not mine:
                return False
            frames = await self._spool.on_thread(self._spool.journal.next)
            if not frames:
                return False
            done, wrong = await self._record(frames)
            if done:
                self._receiver.breaker.succeeded()
                await self._spool.on_thread(partial(self._spool.journal.done, frames[:done]))
            if wrong is not None:
                raise wrong
        return self._spool.waits

    async def _record(self, frames: Sequence[Frame]) -> tuple[int, Exception | None]:
        """How many of the first are recorded, and what kept the next one from it.

        Records of different people go side by side, those of one person one after the other.
        """
        turns = asyncio.Semaphore(SIDE_BY_SIDE)
        before: dict[int, asyncio.Task[None]] = {}
        tasks: list[asyncio.Task[None]] = []
        for frame in frames:
            waited_for = [before[place] for place in set(frame.places) if place in before]
            task = asyncio.create_task(self._after(waited_for, turns, frame))
            tasks.append(task)
            before.update(dict.fromkeys(frame.places, task))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for place, result in enumerate(results):
            if isinstance(result, _KeyMissing):
                log.error(
                    "spool: a record was sealed under a key that is not configured: give it in spool.keys"
                )
                return place, OSError("a key is missing")
            if isinstance(result, Exception):
                return place, result
        return len(frames), None

    async def _after(
        self, waited_for: Sequence[asyncio.Task[None]], turns: asyncio.Semaphore, frame: Frame
    ) -> None:
        for task in waited_for:
            await asyncio.shield(task)  # whose failure is ours: order
        async with turns, asyncio.timeout(WITHIN):
            await self._record_one(frame)

    async def _record_one(self, frame: Frame) -> None:
        if not self._spool.journal.knows(frame):
            raise _KeyMissing
        try:
            record = read(self._spool.journal.open(frame) or b"")
            if isinstance(record, Event):
                got = await record_spooled(self._pool, record.delivery, record.at)
                if got is not None and got.planned:
                    self._receiver.ring(record.delivery, got)
            else:
                late = record.late(self._receiver.settings, self._receiver.policies)
                await self._recorder.record(late, rules_hash=record.rules_hash)
        except (*NEVER, ValueError, KeyError) as wrong:
            log.error("spool: a record cannot be stored (%s)", type(wrong).__name__)
            await self._spool.on_thread(partial(self._spool.journal.set_aside, frame))
        except StoreErrors:
            raise
        except Exception as wrong:  # a fault of ours must not hold up what waits behind
            log.error("spool: fault at a record (%s)", type(wrong).__name__)
            await self._spool.on_thread(partial(self._spool.journal.set_aside, frame))
