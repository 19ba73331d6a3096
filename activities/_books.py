"""Runs the activities that only write to the store, for several deliveries in one transaction."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity as temporal
from temporalio.exceptions import ApplicationError

from activities._activity import Outcome
from activities._bind import Wiring, event_of, next_wait, settled_before, tried_again, words_of
from activities._errors import Refused
from activities._registry import registry
from activities._tools import Db, Tools
from activities._traced import sql
from ledger import work
from ledger.engine import Connection, reading
from ledger.events import Stored, load
from ledger.plan import Job, Plan, Ref, Settlement
from ledger.releases import is_retired

log = logging.getLogger(__name__)

UNKNOWN_FOR = timedelta(hours=1)
"""How long a name that this worker does not know may yet be brought by a rolling deploy."""
UNKNOWN_WAIT = 30.0
"""Seconds between two looks whether it has."""


class Unknown(Exception):
    """No file has this activity, and no earlier release had it: a newer one may."""


class Books:
    """Keeps a person's books, in order per activity: what fails holds back only later work of its own activity."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring

    async def keep(self, job: Job) -> list[Settlement]:
        """All in one transaction, if nothing fails; else one by one.

        What is left of several goes back to the workflow, which hands it over one by one. What is left alone is
        retried until it gives up, and meanwhile the person's other books are kept here, past it.
        """
        settled, failing = await self._all(job.refs)
        if not failing:
            return settled
        if len(job.refs) > 1:
            raise ApplicationError("batch", type="Batch", non_retryable=True)
        await self._all(await self._others(job, failing))
        [(name, wrong)] = failing.items()
        kind = type(wrong).__name__
        log.warning("%s will be tried again: %s", name, kind)
        raise tried_again(kind, UNKNOWN_WAIT if isinstance(wrong, Unknown) else None)

    async def _all(self, refs: Sequence[Ref]) -> tuple[list[Settlement], dict[str, Exception]]:
        """Settles what can be settled; also gives the activities that fail, each with what it raised."""
        if len(refs) > 1:
            try:
                return await self._together(refs), {}
            except Exception:  # noqa: S110 - which of them it was shows one by one
                pass
        settled: list[Settlement] = []
        failing: dict[str, Exception] = {}
        for ref in refs:
            if ref.activity in failing:
                continue
            try:
                settled += await self._together([ref])
            except Exception as wrong:
                ended = await self._put_off(ref, wrong)
                if ended is None:
                    failing[ref.activity] = wrong
                else:
                    settled += ended
        return settled, failing

    async def _others(self, job: Job, failing: Collection[str]) -> list[Ref]:
        """The person's other books that are due."""
        async with reading(self.wiring.engine) as connection:
            items = await work.take(connection, job.subject)
        plans = [(item.ref, Plan.from_row(item.plan)) for item in items]
        return [
            ref for ref, plan in plans if plan.bookkeeping and not plan.after and ref.activity not in failing
        ]

    async def _together(self, refs: Sequence[Ref]) -> list[Settlement]:
        with sql("keep"):
            async with self.wiring.engine.begin() as connection:
                claimed, ended = await _claim(connection, refs)
                off = await work.cancelled(connection, claimed)
                stored = await load(connection, [c.ref.delivery for c in claimed]) if claimed else {}
                endings: list[work.Ending] = []
                for claim in claimed:
                    if claim.ref in off:
                        outcome = Outcome("cancelled")
                    else:
                        outcome = await self._run(connection, claim, stored[claim.ref.delivery])
                    endings.append(work.Ending(claim.ref, claim.attempt, outcome.word, outcome.detail))
                written = await work.settle(connection, endings, self.wiring.code_version) if endings else {}
        return [settled_before(s) for s in ended] + [
            Settlement(e.ref, e.outcome, written.get(e.ref)) for e in endings
        ]

    async def _run(self, connection: Connection, claim: work.Claimed, stored: Stored) -> Outcome:
        activity = registry().get(claim.ref.activity)
        if activity is None:
            if await is_retired(connection, self.wiring.code_version, claim.ref.activity):
                return Outcome("retired")
            raise Unknown
        event = event_of(stored, activity, self.wiring)
        tools = Tools(
            key=f"{event.key}:{activity.name}",
            attempt=claim.attempt,
            db=Db(_no_reads),
            http=self.wiring.http,
            settings=self.wiring.configured(activity.name),
            heartbeat=temporal.heartbeat,
        )
        outcome = await activity.call([event], tools)
        await work.apply_writes(connection, tools.db.writes)
        return outcome

    async def _put_off(self, ref: Ref, wrong: Exception) -> list[Settlement] | None:
        """Notes a failed attempt, whose transaction is gone. None: it is to be tried again."""
        with sql("put off"):
            async with self.wiring.engine.begin() as connection:
                claimed, ended = await _claim(connection, [ref])
                if not claimed:
                    return [settled_before(s) for s in ended]
                [claim] = claimed
                outcome = _for_good(claim, wrong)
                if outcome is None:
                    await work.unclaim(connection, claim, words_of(wrong))
                    return None
                ending = work.Ending(
                    ref, claim.attempt, outcome, {"error": type(wrong).__name__}, words_of(wrong)
                )
                written = await work.settle(connection, [ending], self.wiring.code_version)
        return [Settlement(ref, outcome, written.get(ref), failed=True)]


async def _claim(
    connection: Connection, refs: Sequence[Ref]
) -> tuple[list[work.Claimed], list[work.Settled]]:
    got = await work.claim(connection, refs, lease=0)
    if isinstance(got, work.Busy):
        raise tried_again("Busy")
    return got


def _for_good(claim: work.Claimed, wrong: Exception) -> str | None:
    """The outcome, if there will be no other attempt."""
    if isinstance(wrong, Refused):
        return "refused"
    wait = timedelta(seconds=next_wait(claim.plan))
    now = datetime.now(UTC)
    if isinstance(wrong, Unknown) and now - temporal.info().scheduled_time > UNKNOWN_FOR:
        return "failed"
    return "failed" if now + wait >= claim.give_up_at else None


async def _no_reads(_: work.Write) -> list[Mapping[str, Any]]:
    raise RuntimeError("an activity with bookkeeping=True only writes; leave the option out to read")
