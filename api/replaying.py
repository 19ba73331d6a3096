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
            stored, wrong = await self._record(frames)
            if stored:
                self._receiver.breaker.succeeded()
                await self._spool.on_thread(partial(self._settle, frames, stored))
            if wrong is not None:
                raise wrong
        return self._spool.waits

    def _settle(self, frames: Sequence[Frame], stored: Sequence[bool]) -> None:
        """Is done with the first: sets aside those that are not stored. Raises OSError at one that cannot be: it waits."""
        journal = self._spool.journal
        for place, well in enumerate(stored):
            try:
                if not well:
                    journal.set_aside(frames[place])
            except OSError:
                if place:
                    journal.done(frames[:place])
                raise
        journal.done(frames[: len(stored)])

    async def _record(self, frames: Sequence[Frame]) -> tuple[list[bool], Exception | None]:
        """Of the first, whether each is stored or never can be, and what kept the next one from it.

        Records of different people go side by side, those of one person one after the other.
        """
        turns = asyncio.Semaphore(SIDE_BY_SIDE)
        before: dict[int, asyncio.Task[bool]] = {}
        tasks: list[asyncio.Task[bool]] = []
        for frame in frames:
            waited_for = [before[place] for place in set(frame.places) if place in before]
            task = asyncio.create_task(self._after(waited_for, turns, frame))
            tasks.append(task)
            before.update(dict.fromkeys(frame.places, task))
        stored: list[bool] = []
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, _KeyMissing):
                log.error(
                    "spool: a record was sealed under a key that is not configured: give it in spool.keys"
                )
                return stored, OSError("a key is missing")
            if isinstance(result, Exception):
                return stored, result
            if isinstance(result, BaseException):  # it was cancelled: nobody knows whether it is stored
                return stored, InterruptedError("a record was not seen to its end")
            stored.append(result)
        return stored, None

    async def _after(
        self, waited_for: Sequence[asyncio.Task[bool]], turns: asyncio.Semaphore, frame: Frame
    ) -> bool:
        for task in waited_for:
            await asyncio.shield(task)  # whose failure is ours: order
        async with turns, asyncio.timeout(WITHIN):
            return await self._record_one(frame)

    async def _record_one(self, frame: Frame) -> bool:
        """Whether it is stored; if not, it never can be. Raises _KeyMissing or one of StoreErrors."""
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
            return False
        except StoreErrors:
            raise
        except Exception as wrong:  # a fault of ours must not hold up what waits behind
            log.error("spool: fault at a record (%s)", type(wrong).__name__)
            return False
        return True
