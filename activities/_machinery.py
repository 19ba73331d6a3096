"""The activities that serve the workflow itself: take, bookkeeping, settle, and the catch-all for lost names."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity as temporal
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities._bind import Wiring, apply_writes, event_of, words_of
from activities._registry import registry
from activities._tools import Db, Tools
from ledger import work
from ledger.events import load
from ledger.plan import Item, Job, Ref, Settlement

UNKNOWN_FOR = timedelta(hours=1)
"""How long a name that this worker does not know may yet be brought by a rolling deploy."""


class Machinery:
    """Bound to one worker's wiring. `retired` are the names that an earlier release had and this one has not."""

    def __init__(self, wiring: Wiring, retired: Collection[str]) -> None:
        self.wiring = wiring
        self.retired = frozenset(retired)

    @temporal.defn
    async def take(self, subject: str) -> list[Item]:
        """The person's unsettled, due work, in order."""
        async with self.wiring.engine.connect() as connection:
            return await work.take(connection, subject)

    @temporal.defn
    async def bookkeeping(self, job: Job) -> list[Settlement]:
        """Runs the ledger's own activities for several deliveries, in order, in one transaction."""
        try:
            return await self._keep_books(job.refs)
        except ApplicationError:
            raise
        except Exception:
            if len(job.refs) == 1:
                raise
        settled: list[Settlement] = []
        failed = 0
        for ref in job.refs:
            try:
                settled += await self._keep_books([ref])
            except Exception as wrong:
                failed += 1
                await self._note(ref, wrong)
        if failed:
            raise ApplicationError(f"{failed} of {len(job.refs)} left", type="Bookkeeping")
        return settled

    async def _keep_books(self, refs: Sequence[Ref]) -> list[Settlement]:
        async with self.wiring.engine.begin() as connection:
            got = await work.claim(connection, refs, lease=0)
            if isinstance(got, work.Busy):
                raise ApplicationError("will be tried again", type="Busy")
            claimed, ended = got
            stored = await load(connection, [c.ref.delivery for c in claimed]) if claimed else {}
            endings: list[work.Ending] = []
            for claim in claimed:
                activity = registry().get(claim.ref.activity)
                if activity is None:
                    endings.append(work.Ending(claim.ref, claim.attempt, "retired"))
                    continue
                db = Db(_no_reads)
                event = event_of(stored[claim.ref.delivery], activity, self.wiring)
                tools = Tools(
                    key=f"{event.key}:{activity.name}",
                    attempt=claim.attempt,
                    db=db,
                    http=self.wiring.http,
                    settings={},
                    heartbeat=temporal.heartbeat,
                )
                outcome = await activity.call([event], tools)
                await apply_writes(connection, db.writes)
                endings.append(work.Ending(claim.ref, claim.attempt, outcome.word, outcome.detail))
            written = await work.settle(connection, endings, self.wiring.code_version) if endings else {}
        settlements = [Settlement(s.ref, s.outcome) for s in ended]
        return settlements + [Settlement(e.ref, e.outcome, written.get(e.ref)) for e in endings]

    async def _note(self, ref: Ref, wrong: Exception) -> None:
        async with self.wiring.engine.begin() as connection:
            await work.write_fault(connection, ref, 0, words_of(wrong))

    @temporal.defn
    async def settle(self, job: Job, error: str, hold: bool) -> list[Settlement]:
        """Writes the end of work that bind could not see: a time-out, a dead worker. Its effect may have happened."""
        return await self._settle(job.refs, "failed", {"error": error, "effect": "may have happened"}, hold)

    @temporal.defn(dynamic=True)
    async def lost(self, args: Sequence[RawValue]) -> list[Settlement]:
        """Answers for names that no file has: retired at once, or awaited for an hour during a rolling deploy."""
        job: Job = temporal.payload_converter().from_payload(args[0].payload, Job)
        info = temporal.info()
        if info.activity_type in self.retired:
            return await self._settle(job.refs, "retired", {})
        if datetime.now(UTC) - info.scheduled_time > UNKNOWN_FOR:
            return await self._settle(job.refs, "failed", {"error": "no such activity"})
        wait = timedelta(seconds=30)
        raise ApplicationError("this worker does not have it (yet)", type="Unknown", next_retry_delay=wait)

    async def _settle(
        self, refs: Sequence[Ref], outcome: str, detail: dict[str, str], hold: bool = False
    ) -> list[Settlement]:
        endings = [work.Ending(ref, None, outcome, detail, held=hold) for ref in refs]
        async with self.wiring.engine.begin() as connection:
            written = await work.settle(connection, endings, self.wiring.code_version)
        return [Settlement(e.ref, e.outcome, written.get(e.ref), failed=outcome == "failed") for e in endings]


async def _no_reads(_: work.Write) -> list[Mapping[str, Any]]:
    raise RuntimeError("an activity with bookkeeping=True only writes; leave the option out to read")
