"""Rings people's workflows after their deliveries are stored: a doorbell, never the mail itself."""

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from runtime.attributes import LOGIN, TENANT
from settings import Bell as BellSettings
from settings import Temporal as TemporalSettings
from workflows.user_lifecycle import NAME, Start

log = logging.getLogger(__name__)

MOST_PEOPLE = 20_000
"""People being rung at once; beyond it a ring is left to the sweep."""
RPC_TIMEOUT = timedelta(seconds=5)
_LONGEST_LOGIN = 255
"""A keyword's column in Temporal's SQL visibility; a longer value would never be accepted, nor the ring."""
_LONGEST_SUMMARY = 400
"""Temporal's limit of a summary, in bytes of JSON."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One delivery to ring for."""

    subject: UUID
    workflow_id: str
    tenant: str
    login: str
    seq: int
    hook: str


async def ring(client: Client, settings: TemporalSettings, r: Ring, *, running: bool = False) -> None:
    """Starts the person's workflow, which takes their work at once; signals it if it runs already.

    `running` says that it probably does. A start needs no signal, and is a third cheaper for the server.
    Raises RPCError, or RuntimeError unconnected.
    """
    start = partial(
        client.start_workflow,
        NAME,
        Start(str(r.subject)),
        id=r.workflow_id,
        task_queue=settings.task_queue,
        search_attributes=_attributes(settings, r),
        static_summary=_summary(settings, r),
        rpc_timeout=RPC_TIMEOUT,
    )
    if not running:
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await start()
            return
    await start(start_signal="hook", start_signal_args=[r.seq, r.hook])


def _attributes(settings: TemporalSettings, r: Ring) -> TypedSearchAttributes:
    pairs = [SearchAttributePair(TENANT, r.tenant)]
    if settings.show_login and r.login:
        pairs.append(SearchAttributePair(LOGIN, _beginning(r.login, _LONGEST_LOGIN)))
    return TypedSearchAttributes(pairs)


def _summary(settings: TemporalSettings, r: Ring) -> str:
    person = r.login if settings.show_login and r.login else f"person {r.subject}"
    return _beginning(f"{person} · {r.tenant}", _LONGEST_SUMMARY)


def _beginning(text: str, most: int) -> str:
    """A text, or as much of it as has at most so many bytes of JSON."""
    while len(json.dumps(text)) > most:
        text = text[: len(text) * 3 // 4]
    return text


@dataclass
class _Person:
    latest: Ring | None
    urgent: bool
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Bell:
    """Coalesces rings per person. What it cannot ring, the sweep will: nothing here is kept."""

    def __init__(self, client: Client, bell: BellSettings, temporal: TemporalSettings) -> None:
        self._client = client
        self._bell = bell
        self._temporal = temporal
        self._people: dict[UUID, _Person] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(bell.concurrency)
        # Bookkeeping is rung for one person at a time: answers and urgent work come first.
        self._quiet_slot = asyncio.Semaphore(1)
        self._rung: list[UUID] = []
        self.missed = 0

    def ring(self, r: Ring, *, urgent: bool) -> None:
        """At once for a person who is not being rung; else one more ring after the one under way.

        A ring that is not urgent (only bookkeeping waits behind it) may be put off for `bell.bookkeeping_wait`.
        """
        person = self._people.get(r.subject)
        if person is not None:
            person.latest = r
            if urgent:
                person.urgent = True
                person.wake.set()
            return
        if len(self._people) >= MOST_PEOPLE:
            self.missed += 1
            return
        person = self._people[r.subject] = _Person(r, urgent)
        task = asyncio.create_task(self._serve(r.subject, person))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, subject: UUID, person: _Person) -> None:
        try:
            running = False
            while person.latest is not None:
                slot = await self._turn(person)
                try:
                    r, person.latest, person.urgent = person.latest, None, False
                    person.wake.clear()
                    if not await self._send(r, running=running):
                        return
                finally:
                    slot.release()
                running = True
                await asyncio.sleep(self._bell.coalesce)
        finally:
            del self._people[subject]

    async def _turn(self, person: _Person) -> asyncio.Semaphore:
        """Waits until this person may be rung: bookkeeping after its pause and in its queue, urgent work at once."""
        if not person.urgent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(person.wake.wait(), self._bell.bookkeeping_wait)
        if not person.urgent:
            quiet = asyncio.create_task(self._quiet_slot.acquire())
            woken = asyncio.create_task(person.wake.wait())
            await asyncio.wait({quiet, woken}, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            if quiet.done():
                return self._quiet_slot
            quiet.cancel()
        await self._slots.acquire()
        return self._slots

    async def _send(self, r: Ring, *, running: bool) -> bool:
        try:
            await ring(self._client, self._temporal, r, running=running)
        except (RPCError, RuntimeError, OSError) as wrong:
            self.missed += 1
            log.warning("ring left to the sweep: %s", type(wrong).__name__)
            return False
        self._rung.append(r.subject)
        return True

    def rung(self) -> list[UUID]:
        """Who was rung since the last call, for the store to note in one statement."""
        rung, self._rung = self._rung, []
        return rung

    async def drain(self, seconds: float) -> None:
        """Rings what waits, without further waiting; gives up after `seconds`: the sweep has the rest."""
        for person in self._people.values():
            person.urgent = True
            person.wake.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
