"""One reconciliation: reads the list, looks at each difference a second time, and records what was missed."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from ledger.engine import Engine, reading
from ledger.known import Known, clock, count_present, find_known
from rules.normal import normal
from runtime.reconcile.compare import Missed, judge
from runtime.reconcile.reading import Listed, Met, mark
from runtime.reconcile.record import Unstorable
from runtime.reconcile.removals import Removals
from runtime.reconcile.tally import Tally
from runtime.reconcile.together import AT_ONCE, together
from runtime.reconcile.user_list import NotThere, PlatformLost, UserList
from settings.platform import Platform
from workflows.reconcile import Summary

Json = dict[str, Any]

_PASSES = 3
_MOST_WAITING = 5_000
"""Differences, with their rows, that wait to be looked at again."""
_MOST_UNCLEAR = 24
"""Look-ups that may fail one after the other."""
_CONTROLS = 3
"""Listed people whose own record is asked for, to see whether a look-up can tell anything."""


class Reconciliation:
    """One run for one tenant. `limit` is how many removals may be recorded; None takes what is configured.

    Bounded memory: a mark for each person listed, some thousand rows, and the removals up to the limit.
    """

    def __init__(
        self, platform: Platform, users: UserList, engine: Engine, tally: Tally, limit: int | None
    ) -> None:
        self._platform, self._users, self._engine, self._tally = platform, users, engine, tally
        self._recorder, self._name, self._limit = tally.recorder, tally.recorder.name, limit
        self._judged = set[int]()
        """Marks of those whose rows earlier passes brought."""
        self._waiting: deque[tuple[float, Listed]] = deque()
        self._tells: bool | None = None
        """Whether a listed person's own record can be read: only then does a missing one mean something."""
        self._unclear_in_row = 0

    async def run(self) -> Summary:
        """Does it all. Raises PlatformRefuses, PlatformLost (before the first page), and what a lost store raises."""
        async with reading(self._engine) as connection:
            began = await clock(connection)
            known = await count_present(connection, self._name)
        most = self._platform.limit(known) if self._limit is None else self._limit
        self._removals = Removals(self._users, self._engine, self._tally, most)
        met = await self._read_all()
        await self._look_again(everybody=True)
        ended = time.monotonic()
        if met.read.short:
            self._tally.attend(f"nobody was called removed for not being listed: {met.read.short}")
        else:
            await self._removals.find_absent(
                met, began, tells=bool(self._tells), read_again=self._read_for_removals
            )
        if len(self._removals):
            await self._rest(ended + self._platform.settle)
            await self._removals.record()
        return self._tally.summary()

    async def _read_all(self) -> Met:
        """Passes until one was whole. Rows are judged once, whichever pass brought them."""
        met = await self._read("reading")
        for _ in range(_PASSES - 1):
            if not met.read.may_be_whole_next_time:
                break
            met = await self._read("reading again")
        self._tally.counts.unreadable += met.read.unreadable
        return met

    async def _read_for_removals(self) -> Met:
        return await self._read("reading again for the removed", judging=False)

    async def _read(self, doing: str, *, judging: bool = True) -> Met:
        met = Met()
        async for rows in met.read.rows(self._users):
            self._tally.counts.pages += 1
            if rows:
                await self._judge(rows, met, judging=judging)
            self._tally.show(doing, met.read.total)
            await self._look_again()
        self._judged = self._judged | met.read.seen if self._judged else met.read.seen
        return met

    async def _judge(self, rows: Sequence[Listed], met: Met, *, judging: bool) -> None:
        if self._tells is None:
            answers = [await self._users.user(row.id) for row in rows[:_CONTROLS]]
            self._tells = any(isinstance(answer, dict) for answer in answers)
        for row, person in zip(rows, await self._known(rows), strict=True):
            if person is not None and person.platform_id is None:
                met.subjects.add(person.subject.int)
            if not judging or (self._judged and mark(row.id) in self._judged):
                continue
            self._tally.counts.listed += 1
            if judge(row.user, person, self._platform.ignore):
                self._waiting.append((time.monotonic(), row))

    async def _known(self, rows: Sequence[Listed]) -> list[Known | None]:
        """Whom the rows are about: by id, or by login if they are known by that alone."""
        logins = [normal("login", row.login, row.user, "") or "" for row in rows]
        async with reading(self._engine) as connection:
            by_id, by_login = await find_known(connection, self._name, [row.id for row in rows], logins)
        return [
            by_id.get(row.id) or _unnamed(by_login.get(login))
            for row, login in zip(rows, logins, strict=True)
        ]

    async def _look_again(self, *, everybody: bool = False) -> None:
        """Looks up those whose difference has stood long enough; `everybody`, or too many waiting, waits for it."""
        while self._waiting:
            due = self._waiting[0][0] + self._platform.settle
            if not everybody and len(self._waiting) <= _MOST_WAITING and due > time.monotonic():
                return
            await self._rest(due)
            chunk = [self._waiting.popleft()[1] for _ in range(min(AT_ONCE, len(self._waiting)))]
            await together([self._confirm(row) for row in chunk])
            self._tally.show("looking again")

    async def _rest(self, until: float) -> None:
        if (seconds := until - time.monotonic()) > 0:
            self._tally.show("waiting for hooks on their way")
            await asyncio.sleep(seconds)

    async def _confirm(self, row: Listed) -> None:
        """Asks for the person's own record, compares again with what is known by now, and records."""
        own = await self._users.user(row.id) if self._tells else NotThere.CANNOT_ASK
        if self._is_unclear(own):
            return
        if own is NotThere.GONE:
            self._tally.counts.meanwhile += 1
            return
        evidence = "list" if isinstance(own, NotThere) else "own record"
        user = row.user if isinstance(own, NotThere) else {**row.user, **own}
        user = {**user, "id": row.id, "login": user.get("login") or row.login}
        try:
            await self._judge_again(self._recorder.kept(user), evidence)
        except Unstorable:
            self._tally.counts.unreadable += 1

    async def _judge_again(self, user: Json, evidence: str) -> None:
        [known] = await self._known([Listed(user["id"], user["login"], user)])
        finding = judge(user, known, self._platform.ignore)
        if finding is None:
            self._tally.counts.meanwhile += 1
        elif finding.missed is Missed.REMOVAL and known is not None:
            self._removals.add(known.subject, known.delivery, user, f"{evidence}: status")
        else:
            # What the platform does not show now is kept as it was told.
            before = known.user if known is not None and finding.missed is Missed.CHANGE else None
            await self._tally.record(finding, {**(before or {}), **user}, known, evidence)

    def _is_unclear(self, own: Json | NotThere) -> bool:
        """Counts it. Raises PlatformLost when the platform has plainly stopped answering."""
        if own is not NotThere.UNCLEAR:
            self._unclear_in_row = 0
            return False
        self._tally.counts.unclear += 1
        self._unclear_in_row += 1
        if self._unclear_in_row >= _MOST_UNCLEAR:
            raise PlatformLost("it stopped answering in the middle")
        return True


def _unnamed(known: Known | None) -> Known | None:
    """Somebody known by login, if no id says that it is another, and if they have not left: who returns is new."""
    return known if known is not None and known.platform_id is None and not known.left else None
