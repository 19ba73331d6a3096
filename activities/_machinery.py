"""The activities that serve the workflow itself: take, bookkeeping, settle, and the catch-all for lost names."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity as temporal
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities._bind import Wiring
from activities._books import UNKNOWN_FOR, UNKNOWN_WAIT, Books
from activities._traced import sql
from ledger import work
from ledger.engine import reading
from ledger.plan import Item, Job, Ref, Settlement
from ledger.releases import is_retired


class Machinery:
    """Bound to one worker's wiring."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.books = Books(wiring)

    @temporal.defn
    async def take(self, subject: str) -> list[Item]:
        """The person's unsettled, due work, in order."""
        async with reading(self.wiring.engine) as connection:
            return await work.take(connection, subject)

    @temporal.defn
    async def bookkeeping(self, job: Job) -> list[Settlement]:
        """Runs the ledger's own activities for several deliveries, in order, in one transaction."""
        return await self.books.keep(job)

    @temporal.defn
    async def settle(self, job: Job, error: str, hold: bool) -> list[Settlement]:
        """Writes the end of work that bind could not see: a time-out, a dead worker. Its effect may have happened."""
        return await self._settle(job.refs, "failed", {"error": error, "effect": "may have happened"}, hold)

    @temporal.defn(dynamic=True)
    async def lost(self, args: Sequence[RawValue]) -> list[Settlement]:
        """Answers for names that no file has: retired at once, or awaited for an hour during a rolling deploy."""
        job: Job = temporal.payload_converter().from_payload(args[0].payload, Job)
        info = temporal.info()
        # Asked anew each time: a release newer than this worker's may have brought the name back.
        async with reading(self.wiring.engine) as connection:
            retired = await is_retired(connection, self.wiring.code_version, info.activity_type)
        if retired:
            return await self._settle(job.refs, "retired", {})
        if datetime.now(UTC) - info.scheduled_time > UNKNOWN_FOR:
            return await self._settle(job.refs, "failed", {"error": "no such activity"})
        raise ApplicationError(
            "this worker does not have it (yet)",
            type="Unknown",
            next_retry_delay=timedelta(seconds=UNKNOWN_WAIT),
        )

    async def _settle(
        self, refs: Sequence[Ref], outcome: str, detail: dict[str, str], hold: bool = False
    ) -> list[Settlement]:
        endings = [work.Ending(ref, None, outcome, detail, held=hold) for ref in refs]
        with sql("settle"):
            async with self.wiring.engine.begin() as connection:
                written = await work.settle(connection, endings, self.wiring.code_version)
        return [Settlement(e.ref, e.outcome, written.get(e.ref), failed=outcome == "failed") for e in endings]
