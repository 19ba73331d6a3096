"""One reconciliation: reads the list, looks at each difference a second time, and records what was missed."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from hooks.facts import fact_of
from ledger.engine import Engine, reading
from ledger.known import FIRST, Known, Present, clock, count_present, find_known, find_subjects, present_after
from rules.normal import normal
from runtime.reconcile.compare import Finding, Missed, judge
from runtime.reconcile.reading import Listed, Pass, mark
from runtime.reconcile.record import Recorder, Unstorable
from runtime.reconcile.user_list import NotThere, PlatformLost, UserList
from settings.platform import Platform
from workflows.reconcile import Counts, Summary

Json = dict[str, Any]
T = TypeVar("T")

_PASSES = 3
_LOOKUPS = 8
"""People looked up at once."""
_MOST_WAITING = 5_000
"""Differences, with their rows, that wait to be looked at again."""
_CHUNK = 1_000
_MOST_UNCLEAR = 24
"""Look-ups that may fail one after the other."""
_CONTROLS = 3
"""Listed people whose own record is asked for, to see whether a look-up can tell anything."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is said of one: ids and names of attributes. `receipt` is None in a dry run."""

    tenant: str
    difference: str
    platform_id: str | None
    subject: UUID | None
    receipt: UUID | None
    attributes: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `total` as the list counts."""

    doing: str
    counts: Counts
    total: int | None


@dataclass(frozen=True, slots=True)
class _Removal:
    subject: UUID
    delivery: UUID | None
    """What told of the person last when they were missed."""
    user: Json | None
    """As the platform shows the leaver; None if it shows nobody."""
    evidence: str


@dataclass
class _Met:
    """Whom a pass has met, beside the marks of their ids: those whom we know by login only."""

    read: Pass
    subjects: set[int] = field(default_factory=set[int])

    def includes(self, person: Present) -> bool:
        by_id = person.platform_id is not None and mark(person.platform_id) in self.read.seen
        return by_id or person.subject.int in self.subjects


class Reconciliation:
    """One run for one tenant. `found` is told each difference, `watch` how far it is.

    `limit` is how many removals may be recorded; None takes what is configured. Bounded memory: a mark for each
    person listed, some thousand rows, and the removals up to the limit.
    """

    def __init__(
        self,
        platform: Platform,
        users: UserList,
        engine: Engine,
        recorder: Recorder,
        *,
        dry_run: bool = False,
        limit: int | None = None,
        found: Callable[[Difference], None] = lambda _: None,
        watch: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._platform, self._users, self._engine, self._recorder = platform, users, engine, recorder
        self._tenant, self._dry_run, self._limit = recorder.name, dry_run, limit
        self._found, self._watch = found, watch
        self._counts, self._notes = Counts(), list[str]()
        self._most = 0
        """How many removals may be recorded."""
        self._judged = set[int]()
        """Marks of those whose rows earlier passes brought."""
        self._waiting: deque[tuple[float, Listed]] = deque()
        self._removals: list[_Removal] = []
        self._tells: bool | None = None
        """Whether a listed person's own record can be read: only then does a missing one mean something."""
        self._clean = True
        self._unclear_in_row = 0

    async def run(self) -> Summary:
        """Does it all. Raises PlatformRefuses, PlatformLost (before the first page), and what a lost store raises."""
        async with reading(self._engine) as connection:
            began = await clock(connection)
            known = await count_present(connection, self._tenant)
        self._most = self._platform.limit(known) if self._limit is None else self._limit
        met = await self._read_all()
        await self._look_again(everybody=True)
        ended = time.monotonic()
        if met.read.short:
            self._attend(f"nobody was called removed for not being listed: {met.read.short}")
        else:
            await self._find_absent(met, began)
        await self._rest(ended + self._platform.settle)
        await self._record_removals()
        counts = self._counts
        if counts.unclear:
            self._attend(f"{counts.unclear:,} differences could not be looked at again: the next run will")
        if counts.unreadable:
            self._attend(
                f"{counts.unreadable:,} people could not be read: without id or login, or not storable"
            )
        return Summary(counts, self._notes, self._clean)

    def _attend(self, note: str) -> None:
        self._notes.append(note)
        self._clean = False

    def _show(self, doing: str, total: int | None = None) -> None:
        self._watch(Progress(doing, self._counts, total))

    # Reading

    async def _read_all(self) -> _Met:
        """Passes until one was whole. Rows are judged once, whichever pass brought them."""
        met = await self._read("reading")
        for _ in range(_PASSES - 1):
            if not met.read.short or met.read.lost or not met.read.seen or met.read.total is None:
                break
            met = await self._read("reading again")
        self._counts.unreadable += met.read.unreadable
        return met

    async def _read(self, doing: str, *, judging: bool = True) -> _Met:
        met = _Met(Pass())
        async for rows in met.read.rows(self._users):
            self._counts.pages += 1
            if rows:
                await self._judge(rows, met, judging=judging)
            self._show(doing, met.read.total)
            await self._look_again()
        self._judged = self._judged | met.read.seen if self._judged else met.read.seen
        return met

    async def _judge(self, rows: Sequence[Listed], met: _Met, *, judging: bool) -> None:
        if self._tells is None:
            await self._try_lookups(rows)
        known = await self._known(rows)
        for row, person in zip(rows, known, strict=True):
            if person is not None and person.platform_id is None:
                met.subjects.add(person.subject.int)
            if not judging or (self._judged and mark(row.id) in self._judged):
                continue
            self._counts.listed += 1
            if judge(row.user, person, self._platform.ignore):
                self._waiting.append((time.monotonic(), row))

    async def _try_lookups(self, rows: Sequence[Listed]) -> None:
        answers = [await self._users.user(row.id) for row in rows[:_CONTROLS]]
        self._tells = any(isinstance(answer, dict) for answer in answers)

    async def _known(self, rows: Sequence[Listed]) -> list[Known | None]:
        """Whom the rows are about: by id, or by login if they are known by that alone."""
        logins = [self._normal(row) for row in rows]
        async with reading(self._engine) as connection:
            by_id, by_login = await find_known(connection, self._tenant, [row.id for row in rows], logins)
        return [
            by_id.get(row.id) or _unnamed(by_login.get(login))
            for row, login in zip(rows, logins, strict=True)
        ]

    def _normal(self, row: Listed) -> str:
        return normal("login", row.login, row.user, "IN") or ""

    # A second look

    async def _look_again(self, *, everybody: bool = False) -> None:
        """Looks up those whose difference has stood long enough; `everybody`, or too many waiting, waits for it."""
        while self._waiting:
            due = self._waiting[0][0] + self._platform.settle
            if not everybody and len(self._waiting) <= _MOST_WAITING and due > time.monotonic():
                return
            await self._rest(due)
            chunk = [self._waiting.popleft()[1] for _ in range(min(_LOOKUPS, len(self._waiting)))]
            await _together([self._confirm(row) for row in chunk])
            self._show("looking again")

    async def _rest(self, until: float) -> None:
        if (seconds := until - time.monotonic()) > 0 and (self._waiting or self._removals):
            self._show("waiting for hooks on their way")
            await asyncio.sleep(seconds)

    async def _confirm(self, row: Listed) -> None:
        """Asks for the person's own record, compares again with what is known by now, and records."""
        own = await self._users.user(row.id) if self._tells else NotThere.CANNOT_ASK
        if own is NotThere.UNCLEAR:
            self._counts.unclear += 1
            self._unclear_in_row += 1
            if self._unclear_in_row >= _MOST_UNCLEAR:
                raise PlatformLost("it stopped answering in the middle; what was recorded stands")
            return
        self._unclear_in_row = 0
        if own is NotThere.GONE:
            self._counts.meanwhile += 1
            return
        evidence = "list" if isinstance(own, NotThere) else "own record"
        user = row.user if isinstance(own, NotThere) else {**row.user, **own}
        user = {**user, "id": row.id, "login": user.get("login") or row.login}
        try:
            user = self._recorder.kept(user)
            [known] = await self._known([Listed(row.id, user["login"], user)])
            finding = judge(user, known, self._platform.ignore)
            if finding is None:
                self._counts.meanwhile += 1
            elif finding.missed is Missed.REMOVAL and known is not None:
                self._remove(known.subject, known.delivery, user, f"{evidence}: status")
            else:
                before = known.user if known is not None and finding.missed is Missed.CHANGE else None
                await self._record(finding, {**(before or {}), **user}, known, evidence)
        except Unstorable:
            self._counts.unreadable += 1

    # Removals

    def _remove(self, subject: UUID, delivery: UUID | None, user: Json | None, evidence: str) -> None:
        """Keeps it until all are counted; beyond what the brake allows none will be recorded anyway."""
        if len(self._removals) <= self._most:
            self._removals.append(_Removal(subject, delivery, user, evidence))

    async def _find_absent(self, met: _Met, began: datetime) -> None:
        """Looks up everybody who is known and was not listed; whom a look-up cannot settle is awaited in a second pass."""
        undecided: list[Present] = []
        after = FIRST
        while len(self._removals) <= self._most and len(undecided) <= self._most + _CHUNK:
            async with reading(self._engine) as connection:
                people = await present_after(connection, self._tenant, after, began, _CHUNK)
            if not people:
                break
            after = people[-1].subject
            absent = [person for person in people if not met.includes(person)]
            for start in range(0, len(absent), _LOOKUPS):
                chunk = absent[start : start + _LOOKUPS]
                left_open = await _together([self._miss(person) for person in chunk])
                undecided += [person for person, is_open in zip(chunk, left_open, strict=True) if is_open]
                self._show("looking for the removed")
                if self._counts.unlisted > self._most and self._counts.unlisted > len(self._removals):
                    self._attend(
                        f"{self._counts.unlisted:,} people are there and not listed: the API client does not see "
                        "everybody, so nobody else was looked for"
                    )
                    return
        if undecided:
            await self._settle_by_second_pass(undecided)
        if self._counts.unlisted:
            self._notes.append(f"{self._counts.unlisted:,} people are there, though the list leaves them out")

    async def _miss(self, person: Present) -> bool:
        """Whether it stays open if this person was removed."""
        if person.platform_id is None or not self._tells:
            return True
        own = await self._users.user(person.platform_id)
        if own is NotThere.GONE:
            self._remove(person.subject, person.delivery, None, own.value)
        elif isinstance(own, NotThere):
            return True
        elif fact_of(own).left:
            try:
                user = self._recorder.kept({**own, "id": person.platform_id})
            except Unstorable:
                user = None
            self._remove(person.subject, person.delivery, user, "own record: status")
        else:
            self._counts.unlisted += 1
        return False

    async def _settle_by_second_pass(self, undecided: Sequence[Present]) -> None:
        met = await self._read("reading again for the removed", judging=False)
        if met.read.short:
            self._attend(
                f"{len(undecided):,} people may have been removed, which is left open: {met.read.short}"
            )
            return
        for person in undecided:
            if not met.includes(person):
                self._remove(person.subject, person.delivery, None, "absent from two whole readings")

    async def _record_removals(self) -> None:
        removals = {removal.subject: removal for removal in self._removals}
        if len(removals) > self._most:
            await self._brake()
            return
        for removal in removals.values():
            async with reading(self._engine) as connection:
                found = await find_subjects(connection, self._tenant, [removal.subject])
            known = found.get(removal.subject)
            if known is None or known.left or known.delivery != removal.delivery:
                self._counts.meanwhile += 1
                continue
            user = {"login": known.login or "", "id": known.platform_id, **(known.user or {})}
            user |= removal.user if removal.user is not None else {"status": "DELETE"}
            try:
                await self._record(Finding(Missed.REMOVAL), user, known, removal.evidence)
            except Unstorable:
                self._counts.unreadable += 1

    async def _brake(self) -> None:
        """Too many at once are sooner a fault of the list than a fact."""
        told = {"removals": f"more than {self._most}", "counts": asdict(self._counts)}
        where = f"receipt {await self._recorder.incident(told)}" if not self._dry_run else "dry run"
        self._attend(
            f"the brake stopped: more than the {self._most:,} removals that one run may record, so none was recorded "
            f"({where}). If they are right: ./hookledger reconcile --tenant {self._tenant} --removals N"
        )

    # Recording

    async def _record(self, finding: Finding, user: Json, known: Known | None, evidence: str) -> None:
        receipt = None
        subject = known.subject if known is not None else None
        if not self._dry_run:
            receipt, got = await self._recorder.fact(finding, user, known, evidence)
            subject = got.subject
        match finding.missed:
            case Missed.CREATE:
                self._counts.created += 1
            case Missed.CHANGE:
                self._counts.changed += 1
            case Missed.REMOVAL:
                self._counts.removed += 1
        id_ = user.get("id")
        self._found(
            Difference(
                tenant=self._tenant,
                difference=finding.missed.value,
                platform_id=id_ if isinstance(id_, str) else None,
                subject=subject,
                receipt=receipt,
                attributes=finding.attributes,
                evidence=evidence,
            )
        )


async def _together(tasks: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once; the first error is raised only when none of them is under way any more."""
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ended:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ended if not isinstance(end, BaseException)]


def _unnamed(known: Known | None) -> Known | None:
    """Somebody known by login, if no id says that it is another, and if they have not left: who returns is new."""
    return known if known is not None and known.platform_id is None and not known.left else None
