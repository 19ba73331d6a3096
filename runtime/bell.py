"""Rings people's workflows after their deliveries are stored: a doorbell, never the mail itself."""

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError

from runtime.attributes import LOGIN, TENANT
from runtime.tracing import OFF, Traces
from settings import Bell as BellSettings
from settings import Temporal as TemporalSettings
from workflows.user_lifecycle import NAME, Start

log = logging.getLogger(__name__)

MOST_PEOPLE = 20_000
"""People being rung at once; beyond it a ring is left to the sweep."""
RPC_TIMEOUT = timedelta(seconds=5)
_GIVE_WAY = 4
"""While calls are being answered, bookkeeping's rings rest so many times as long as they took."""
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
    delivery: UUID | None = None
    """Whose trace tells of it."""


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


@dataclass(slots=True)
class _Person:
    """Somebody to ring for: lined up, being rung, or resting after it."""

    latest: Ring
    waits: bool = False
    """`latest` is not rung yet."""
    urgent: bool = False
    rung: bool = False
    rest: asyncio.TimerHandle | None = None
    busy: bool = False
    """Being rung for, about to be, or resting."""


class Bell:
    """Coalesces rings per person. What it cannot ring, the sweep will: nothing here is kept.

    Urgent rings go out at once, `bell.concurrency` of them together. Where only bookkeeping waits, one goes out at
    a time, and after it a rest while calls are being answered: answers and urgent work come first.
    """

    def __init__(
        self, client: Client, bell: BellSettings, temporal: TemporalSettings, traces: Traces = OFF
    ) -> None:
        self._client = client
        self._traces = traces
        self._bell = bell
        self._temporal = temporal
        self._people: dict[UUID, _Person] = {}
        self._quiet: dict[UUID, float] = {}
        """Who waits with bookkeeping only, and until when: the longest waiting first."""
        self._quiet_runs = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._urgent: deque[UUID] = deque()
        """Who is next, the longest waiting first; `_ringers` tasks ring for them."""
        self._ringers = 0
        self._draining = False
        self._rung: deque[UUID] = deque(maxlen=MOST_PEOPLE)
        self.sent = 0
        self.answering = 0
        """Calls being answered now; whoever answers them keeps the count."""
        self.missed = 0

    def ring(self, r: Ring, *, urgent: bool) -> None:
        """At once for a person who is not being rung; else one more ring after the one under way.

        A ring that is not urgent (only bookkeeping waits behind it) is put off for `bell.bookkeeping_wait`, or longer.
        """
        person = self._people.get(r.subject)
        if person is None:
            if len(self._people) >= MOST_PEOPLE:
                self.missed += 1
                return
            person = self._people[r.subject] = _Person(r)
        person.latest, person.waits = r, True
        person.urgent = person.urgent or urgent
        if not person.busy:
            self._line_up(r.subject, person)

    def _line_up(self, subject: UUID, person: _Person) -> None:
        if person.urgent:
            self._quiet.pop(subject, None)
            person.busy = True
            self._urgent.append(subject)
            if self._ringers < self._bell.concurrency:
                self._ringers += 1
                self._spawn(self._ring_urgent())
        elif subject not in self._quiet:
            self._quiet[subject] = asyncio.get_running_loop().time() + self._bell.bookkeeping_wait
            if not self._quiet_runs:
                self._quiet_runs = True
                self._next_quiet()

    def _next_quiet(self) -> None:
        """Rings for the longest waiting once its wait is over; then, one by one, for all others."""
        if not self._quiet:
            self._quiet_runs = False
            return
        loop = asyncio.get_running_loop()
        subject, due = next(iter(self._quiet.items()))
        if due > loop.time():
            loop.call_at(due, self._next_quiet)
            return
        del self._quiet[subject]
        person = self._people[subject]
        person.busy = True
        self._spawn(self._ring_quietly(subject, person))

    async def _ring_urgent(self) -> None:
        try:
            while self._urgent:
                subject = self._urgent.popleft()
                await self._ring(subject, self._people[subject])
        finally:
            self._ringers -= 1

    async def _ring_quietly(self, subject: UUID, person: _Person) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._ring(subject, person)
        took = clock() - began
        for _ in range(_GIVE_WAY):
            if not self.answering or self._draining:
                break
            await asyncio.sleep(took)
        self._next_quiet()

    async def _ring(self, subject: UUID, person: _Person) -> None:
        person.waits = person.urgent = False
        if not await self._send(person.latest, running=person.rung):
            del self._people[subject]
            return
        person.rung = True
        if self._draining:
            self._rested(subject, person)
        else:
            loop = asyncio.get_running_loop()
            person.rest = loop.call_later(self._bell.coalesce, self._rested, subject, person)

    def _rested(self, subject: UUID, person: _Person) -> None:
        person.rest, person.busy = None, False
        if not person.waits:
            del self._people[subject]
        else:
            person.urgent = person.urgent or self._draining
            self._line_up(subject, person)

    def _spawn(self, ringing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ringing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, r: Ring, *, running: bool) -> bool:
        try:
            with self._traces.of((r.delivery,) if r.delivery else (), "ring", "inside"):
                await ring(self._client, self._temporal, r, running=running)
        except Exception as wrong:
            self.missed += 1
            log.warning("ring left to the sweep: %s", type(wrong).__name__)
            return False
        self._rung.append(r.subject)
        self.sent += 1
        return True

    @property
    def people(self) -> int:
        """Who is lined up, being rung for, or resting after it."""
        return len(self._people)

    def rung(self) -> list[UUID]:
        """Who was rung since the last call, for the store to note in one statement."""
        rung = list(self._rung)
        self._rung.clear()
        return rung

    async def drain(self, seconds: float) -> None:
        """Rings what waits, without further waiting; gives up after `seconds`: the sweep has the rest."""
        self._draining = True
        for subject, person in list(self._people.items()):
            if person.rest is not None:
                person.rest.cancel()
                self._rested(subject, person)
            elif not person.busy:
                person.urgent = True
                self._line_up(subject, person)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        self._draining = False
