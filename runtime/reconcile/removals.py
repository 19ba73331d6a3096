"""Decides who was removed: on the platform's own word about each, never because one list left somebody out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hooks.facts import fact_of
from ledger.engine import Engine, reading
from ledger.known import FIRST, Present, find_subjects, present_after
from runtime.reconcile.compare import Finding, Missed
from runtime.reconcile.reading import Met
from runtime.reconcile.record import Unstorable
from runtime.reconcile.tally import Tally
from runtime.reconcile.together import AT_ONCE, together
from runtime.reconcile.user_list import NotThere, UserList

Json = dict[str, Any]

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class _Removal:
    delivery: UUID | None
    """What told of the person last when they were missed."""
    user: Json | None
    """As the platform shows the leaver; None if it shows nobody."""
    evidence: str


class Removals:
    """One run's removals, kept until all are counted. `most` of them may be recorded."""

    def __init__(self, users: UserList, engine: Engine, tally: Tally, most: int) -> None:
        self._users, self._engine, self._tally, self._most = users, engine, tally, most
        self._name = tally.recorder.name
        self._kept: dict[UUID, _Removal] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, subject: UUID, delivery: UUID | None, user: Json | None, evidence: str) -> None:
        """Keeps one; beyond what the brake allows none will be recorded anyway."""
        if len(self._kept) <= self._most:
            self._kept[subject] = _Removal(delivery, user, evidence)

    async def find_absent(
        self, met: Met, began: datetime, *, tells: bool, read_again: Callable[[], Awaitable[Met]]
    ) -> None:
        """Looks up everybody who is known since before `began` and was not met.

        Who cannot be settled so must be absent from a second whole reading too. `tells`: a look-up means something.
        """
        undecided: list[Present] = []
        after = FIRST
        while len(self) <= self._most and len(undecided) <= self._most + _CHUNK:
            async with reading(self._engine) as connection:
                people = await present_after(connection, self._name, after, _CHUNK)
            if not people:
                break
            after = people[-1].subject
            absent = [person for person in people if person.told_at < began and not met.includes(person)]
            undecided += await self._look_up(absent) if tells else absent
            if self._list_hides_people():
                return
        if undecided and len(self) <= self._most:
            await self._settle(undecided, await read_again())
        if unlisted := self._tally.counts.unlisted:
            self._tally.notes.append(f"people who are there, though the list leaves them out: {unlisted:,}")

    def _list_hides_people(self) -> bool:
        unlisted = self._tally.counts.unlisted
        if unlisted <= max(self._most, len(self)):
            return False
        self._tally.attend(
            f"people who are there, though the list leaves them out: {unlisted:,} and more. The API client does not "
            "see everybody, so nobody else was looked for"
        )
        return True

    async def _look_up(self, absent: Sequence[Present]) -> list[Present]:
        """Gives those who stay open."""
        left_open: list[Present] = []
        for start in range(0, len(absent), AT_ONCE):
            chunk = absent[start : start + AT_ONCE]
            settled = await together([self._is_settled(person) for person in chunk])
            left_open += [person for person, done in zip(chunk, settled, strict=True) if not done]
            self._tally.show("looking for the removed")
            if len(self) > self._most:
                break
        return left_open

    async def _is_settled(self, person: Present) -> bool:
        own = await self._users.user(person.platform_id) if person.platform_id else NotThere.CANNOT_ASK
        if own is NotThere.GONE:
            self.add(person.subject, person.delivery, None, own.value)
        elif isinstance(own, NotThere):
            return False
        elif fact_of(own).left:
            try:
                user = self._tally.recorder.kept({**own, "id": person.platform_id})
            except Unstorable:
                user = None
            self.add(person.subject, person.delivery, user, "own record: status")
        else:
            self._tally.counts.unlisted += 1
        return True

    async def _settle(self, undecided: Sequence[Present], again: Met) -> None:
        if again.read.short:
            words = f"people who may have been removed, which is left open: {len(undecided):,}"
            self._tally.attend(f"{words} ({again.read.short})")
            return
        for person in undecided:
            if not again.includes(person):
                self.add(person.subject, person.delivery, None, "absent from two whole readings")

    async def record(self) -> None:
        """Records them, or an incident if they are more than allowed."""
        if len(self) > self._most:
            await self._brake()
            return
        for subject, removal in self._kept.items():
            async with reading(self._engine) as connection:
                known = (await find_subjects(connection, self._name, [subject])).get(subject)
            if known is None or known.left or known.delivery != removal.delivery:
                self._tally.counts.meanwhile += 1
                continue
            user = {"login": known.login or "", "id": known.platform_id, **(known.user or {})}
            user |= removal.user if removal.user is not None else {"status": "DELETE"}
            try:
                await self._tally.record(Finding(Missed.REMOVAL), user, known, removal.evidence)
            except Unstorable:
                self._tally.counts.unreadable += 1

    async def _brake(self) -> None:
        """Too many at once are sooner a fault of the list than a fact."""
        where = "dry run"
        if not self._tally.dry_run:
            told = {"removals": f"more than {self._most}", "counts": asdict(self._tally.counts)}
            where = f"receipt {await self._tally.recorder.incident(told)}"
        self._tally.attend(
            f"the brake stopped: more than the {self._most:,} removals that one run may record, so none was recorded "
            f"({where}). If they are right: ./hookledger reconcile --tenant {self._name} --removals N"
        )
