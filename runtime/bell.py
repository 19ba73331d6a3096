"""Rings people's workflows after their deliveries are stored: a doorbell, never the mail itself."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from runtime.attributes import LOGIN, TENANT
from settings import Bell as BellSettings
from settings import Temporal as TemporalSettings
from workflows.user_lifecycle import NAME, Start

log = logging.getLogger(__name__)

MOST_PEOPLE = 20_000
"""People being rung at once; beyond it a ring is left to the sweep."""
RPC_TIMEOUT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Ring:
    """One delivery to ring for."""

    subject: UUID
    workflow_id: str
    tenant: str
    login: str
    seq: int
    hook: str


async def ring(client: Client, settings: TemporalSettings, r: Ring) -> None:
    """Signals the person's workflow, starting it if it does not run. Raises RPCError, or RuntimeError unconnected."""
    pairs = [SearchAttributePair(TENANT, r.tenant)]
    person = f"person {r.subject}"
    if settings.show_login and r.login:
        pairs.append(SearchAttributePair(LOGIN, r.login))
        person = r.login
    await client.start_workflow(
        NAME,
        Start(str(r.subject)),
        id=r.workflow_id,
        task_queue=settings.task_queue,
        start_signal="hook",
        start_signal_args=[r.seq, r.hook],
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=f"{person} · {r.tenant}"[:190],
        rpc_timeout=RPC_TIMEOUT,
    )


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
            while person.latest is not None:
                if not person.urgent:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(person.wake.wait(), self._bell.bookkeeping_wait)
                r, person.latest, person.urgent = person.latest, None, False
                person.wake.clear()
                if not await self._send(r):
                    return
                await asyncio.sleep(self._bell.coalesce)
        finally:
            del self._people[subject]

    async def _send(self, r: Ring) -> bool:
        async with self._slots:
            try:
                await ring(self._client, self._temporal, r)
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
