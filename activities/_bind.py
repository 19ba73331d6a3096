"""Wraps every activity: claims its work, tells it the event, runs it, settles, and writes the entry.

An author can neither forget the ledger nor leak into Temporal: what reaches a history is a type and an entry id.
"""

import asyncio
import contextlib
import logging
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import httpx
from temporalio import activity as temporal
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities._activity import Activity, Outcome
from activities._breaker import cause_of, is_probe, note_failure
from activities._errors import Refused, SecretGone, Unavailable
from activities._event import Event
from activities._platform import Platform
from activities._tools import Configured, Db, Tools
from activities._traced import sql
from hooks.secrets import CUT
from hooks.spellings import cutting
from ledger import incidents, work
from ledger.calls import find_cause, note_call
from ledger.engine import Connection, Engine, reading
from ledger.events import Stored, load
from ledger.plan import Job, Plan, Settlement
from ledger.vault import forget_unneeded
from settings.platform import Platform as Address

log = logging.getLogger(__name__)
T = TypeVar("T")

_MARGIN = 1.0
"""Seconds before Temporal's own time-out at which bind stops an attempt, so that it can still say so."""

_UNRUN = {"shadow": "shadow", "drop": "skipped"}
"""How work ends that a switch lets no activity run for. One that is off is not even claimed."""


@dataclass(frozen=True)
class Wiring:
    """What activities are run with: one per worker process."""

    engine: Engine
    http: httpx.AsyncClient
    settings: Mapping[str, Mapping[str, Any]]
    code_version: str
    unseal: Callable[[str, bytes], str | None]
    breaker: incidents.Limit | None = None
    """What makes an incident; None: nothing does."""
    platforms: Mapping[str, Address] = field(default_factory=dict[str, Address])
    """Where activities call back, by tenant."""

    def configured(self, name: str) -> Configured:
        """An activity's own table of the configuration."""
        return Configured(self.settings.get(name, {}))


def bind(activity: Activity, wiring: Wiring) -> Callable[[Job], Awaitable[list[Settlement]]]:
    """The Temporal activity of an Activity."""

    async def run(job: Job) -> list[Settlement]:
        return await _Attempt(activity, wiring, job).perform()

    return temporal.defn(name=activity.name)(run)


class _WriteFailed(Exception):
    """One of the activity's own statements failed: that is its failure, as if it had come from its code."""

    def __init__(self, of: Exception) -> None:
        self.of = of


class _Attempt:
    """One attempt at one job: the work of one activity for one person, in order."""

    def __init__(self, activity: Activity, wiring: Wiring, job: Job) -> None:
        self.activity = activity
        self.wiring = wiring
        self.refs = job.refs
        self.claimed: Sequence[work.Claimed] = ()
        self.lease = activity.plan.timeout
        self.renewals: set[asyncio.Task[None]] = set()
        self.renewed = time.monotonic()
        self.secrets: Sequence[str] = ()
        """What the author was told in confidence, and may repeat in an error or an outcome."""

    async def perform(self) -> list[Settlement]:
        claimed, ended, cancelled = await self._claim()
        done = [settled_before(s) for s in ended]
        if cancelled:
            done += await self._end([work.Ending(c.ref, c.attempt, "cancelled") for c in cancelled])
        switched = [c for c in claimed if c.switch in _UNRUN]
        if switched:
            done += await self._end([work.Ending(c.ref, c.attempt, _UNRUN[c.switch or ""]) for c in switched])
            claimed = [c for c in claimed if c.switch not in _UNRUN]
        if not claimed:
            return done
        self.claimed = claimed
        stored = await self._load(claimed)
        platform = await self._platform(claimed[0], stored[claimed[0].ref.delivery])
        chain = platform.chain
        if platform.looped:
            return done + await self._end([work.Ending(claimed[0].ref, claimed[0].attempt, "looped", chain)])
        db = Db(work.reader(self.wiring.engine))
        try:
            async with asyncio.timeout(max(self.lease - _MARGIN, self.lease / 2)):
                outcome = await self._run(claimed, stored, db, platform)
        except SecretGone as wrong:
            raise await self._fail(claimed, wrong, "secret_gone") from None
        except Refused as wrong:
            raise await self._fail(claimed, wrong, "refused") from None
        except (Exception, asyncio.CancelledError) as wrong:
            raise await self._again(claimed, wrong) from None
        detail = without(self.secrets, outcome.detail) | chain
        word = without(self.secrets, outcome.word)
        endings = [work.Ending(c.ref, c.attempt, word, detail) for c in claimed]
        try:
            return done + await self._end(endings, db.writes, probe=is_probe(claimed))
        except _WriteFailed as wrong:
            raise await self._again(claimed, wrong.of) from None

    async def _claim(self) -> tuple[list[work.Claimed], list[work.Settled], list[work.Claimed]]:
        with sql("claim"):
            async with self.wiring.engine.begin() as connection:
                got = await work.claim(connection, self.refs, self.lease)
                if isinstance(got, work.Busy):
                    raise tried_again("Busy", got.seconds)
                claimed, ended = got
                off = await work.cancelled(connection, claimed)
        return [c for c in claimed if c.ref not in off], ended, [c for c in claimed if c.ref in off]

    async def _load(self, claimed: Sequence[work.Claimed]) -> dict[str, Stored]:
        with sql("load"):
            async with reading(self.wiring.engine) as connection:
                return await load(connection, [c.ref.delivery for c in claimed])

    async def _platform(self, claim: work.Claimed, stored: Stored) -> Platform:
        """How this attempt calls the platform back; it asks the store only for an activity that does so."""
        address = self.wiring.platforms.get(stored.tenant) if self.activity.platform else None
        if address is None:
            return Platform()
        async with reading(self.wiring.engine) as connection:
            cause = await find_cause(connection, stored.delivery, address.loop_window, address.actor)

        async def note() -> None:
            async with self.wiring.engine.begin() as connection:
                await note_call(connection, claim.ref, claim.attempt, (cause.depth if cause else 0) + 1)

        return Platform(address, self.wiring.http, stored.received_at, note, cause)

    async def _run(
        self, claimed: Sequence[work.Claimed], stored: Mapping[str, Stored], db: Db, platform: Platform
    ) -> Outcome:
        def told() -> list[Event]:
            return [event_of(stored[c.ref.delivery], self.activity, self.wiring) for c in claimed]

        # A secret's key is on a disk: one that hangs is this attempt's trouble, not the whole worker's.
        events = await asyncio.to_thread(told) if self.activity.secret else told()
        self.secrets = [e.secret for e in events if e.secret]
        tools = Tools(
            key=_key([e.delivery for e in events], self.activity.name),
            attempt=claimed[0].attempt,
            db=db,
            http=self.wiring.http,
            settings=self.wiring.configured(self.activity.name),
            heartbeat=self._heartbeat,
            platform=platform,
        )
        return await self.activity.call(events, tools)

    def _heartbeat(self) -> None:
        temporal.heartbeat()
        if time.monotonic() - self.renewed > self.lease / 4:
            self.renewed = time.monotonic()
            task = asyncio.create_task(self._renew())
            self.renewals.add(task)
            task.add_done_callback(self.renewals.discard)

    async def _renew(self) -> None:
        with contextlib.suppress(Exception):
            async with self.wiring.engine.begin() as connection:
                await work.renew(connection, self.claimed, self.lease)

    async def _end(
        self,
        endings: list[work.Ending],
        writes: Sequence[work.Write] = (),
        *,
        probe: bool = False,
        wrong: BaseException | None = None,
    ) -> list[Settlement]:
        """Commits the outcome, its entry and the activity's own writes together; a stale attempt loses all three.

        probe: an incident's attempt went well.  wrong: what it failed for, if that may be many people's. Raises _WriteFailed.
        """
        with sql("settle"):
            async with self.wiring.engine.begin() as connection:
                try:
                    await work.apply_writes(connection, writes)
                except Exception as of:
                    raise _WriteFailed(of) from None
                written = await work.settle(connection, endings, self.wiring.code_version)
                if len(written) < len(endings):
                    raise tried_again("Stale", 1.0)
                if probe:
                    await incidents.probe_went_well(connection, endings[0].ref)
                if wrong is not None:
                    await self._note(connection, self.claimed, wrong)
                if self.activity.secret:
                    for ending in endings:
                        await forget_unneeded(connection, ending.ref.delivery)
        return [Settlement(e.ref, e.outcome, written[e.ref]) for e in endings]

    async def _fail(
        self, claimed: Sequence[work.Claimed], wrong: BaseException, outcome: str
    ) -> ApplicationError:
        """Settles a failure for good. A batch is left open: the workflow hands it over again one by one."""
        if len(claimed) > 1:
            await self._unclaim(claimed, wrong)
            return ApplicationError("batch", type="Batch", non_retryable=True)
        plan, claim = self.activity.plan, claimed[0]
        ending = work.Ending(
            claim.ref,
            claim.attempt,
            outcome,
            {"error": type(wrong).__name__},
            without(self.secrets, words_of(wrong)),
            held=plan.hold,
            cause=cause_of(wrong),
        )
        common = outcome == "failed" or is_probe(claimed)
        [settlement] = await self._end([ending], wrong=wrong if common else None)
        return ApplicationError(f"entry {settlement.entry}", type=type(wrong).__name__, non_retryable=True)

    async def _again(self, claimed: Sequence[work.Claimed], wrong: BaseException) -> ApplicationError:
        """Gives the lane back for another attempt, or fails for good when there is no time for one."""
        pause = wrong.retry_after if isinstance(wrong, Unavailable) else None
        least = pause if pause is not None else next_wait(self.activity.plan)
        # An incident's probe pays for everybody: it gives up no more than those who are held.
        late = datetime.now(UTC) + timedelta(seconds=least) >= claimed[0].give_up_at
        if late and not is_probe(claimed):
            return await self._fail(claimed, wrong, "failed")
        await self._unclaim(claimed, wrong)
        log.warning("%s will be tried again: %s", self.activity.name, type(wrong).__name__)
        return tried_again(type(wrong).__name__, pause)

    async def _unclaim(self, claimed: Sequence[work.Claimed], wrong: BaseException) -> None:
        told = without(self.secrets, words_of(wrong))
        with sql("unclaim"):
            async with self.wiring.engine.begin() as connection:
                for claim in claimed:
                    await work.unclaim(connection, claim, told, cause_of(wrong))
                await self._note(connection, claimed, wrong)

    async def _note(
        self, connection: Connection, claimed: Sequence[work.Claimed], wrong: BaseException
    ) -> None:
        await note_failure(connection, claimed, wrong, self.wiring.breaker, self.wiring.code_version)


def event_of(stored: Stored, activity: Activity, wiring: Wiring) -> Event:
    """The Event of a stored delivery. Raises Refused if its body has been erased, SecretGone if only its secret has.

    `wiring.unseal` says None of what is gone for good only; what it raises is tried again like other trouble.
    """
    if not activity.secret:
        return event_told(stored)
    sealed = stored.sealed
    event = event_told(stored, wiring.unseal(stored.delivery, sealed) if sealed is not None else None)
    if event.secret is None and event.request.get("passwordText") == CUT:
        raise SecretGone("the password is not kept any more: have it set again")
    return event


def event_told(stored: Stored, secret: str | None = None) -> Event:
    """The Event of a stored delivery, with this secret. Raises Refused if its body has been erased."""
    if stored.request is None:
        raise Refused("the delivery's body has been erased")
    return Event(
        delivery=stored.delivery,
        tenant=stored.tenant,
        hook=stored.hook,
        seq=stored.seq,
        received_at=stored.received_at,
        subject=stored.subject,
        request=stored.request,
        before=stored.before,
        application=stored.application,
        verdict=stored.verdict,
        actor=stored.actor,
        acting_for=stored.acting_for,
        rehire_of=stored.rehire_of,
        secret=secret,
    )


def settled_before(settled: work.Settled) -> Settlement:
    """What another attempt had settled: its failure is named again, since that attempt may not have been heard."""
    return Settlement(
        settled.ref, settled.outcome, settled.entry, settled.outcome in ("failed", "refused", "secret_gone")
    )


def next_wait(plan: Plan) -> float:
    """Seconds that Temporal lets pass after this attempt, by the plan's own back-off."""
    doubled = min(temporal.info().attempt, 60) - 1
    return min(plan.first_wait * plan.factor**doubled, plan.longest_wait)


def _key(deliveries: Sequence[str], activity: str) -> str:
    """A batch is other work than its first delivery alone, which may be handed over again without the rest."""
    if len(deliveries) == 1:
        return f"{deliveries[0]}:{activity}"
    return f"{uuid.uuid5(uuid.NAMESPACE_OID, ','.join(deliveries))}:{activity}"


def words_of(wrong: BaseException) -> str:
    """What went wrong, for the erasable table: the error and where it came from, without local values."""
    where = traceback.extract_tb(wrong.__traceback__)
    last = f" at {where[-1].filename.rsplit('/', 2)[-1]}:{where[-1].lineno}" if where else ""
    return f"{type(wrong).__name__}: {wrong}{last}"


def without(secrets: Sequence[str], told: T) -> T:
    """What an author tells, without the secrets that were told to them, however spelt: text, or a mapping at any depth."""
    return cast("T", _each_text(told, cutting(secrets))) if secrets and told else told


def _each_text(told: Any, cut_from: Callable[[str], str]) -> Any:
    if isinstance(told, str):
        return cut_from(told)
    if isinstance(told, Mapping):
        members = cast("Mapping[str, Any]", told).items()
        return {_each_text(key, cut_from): _each_text(value, cut_from) for key, value in members}
    if isinstance(told, list | tuple):
        return [_each_text(part, cut_from) for part in cast("Sequence[Any]", told)]
    return told


def tried_again(kind: str, seconds: float | None = None) -> ApplicationError:
    """What Temporal is told of an attempt that another one follows, after `seconds` or as its plan says."""
    delay = timedelta(seconds=seconds) if seconds is not None else None
    # Benign: one line in the log instead of a trace for each attempt at each person.
    return ApplicationError(
        "will be tried again", type=kind, next_retry_delay=delay, category=ApplicationErrorCategory.BENIGN
    )
