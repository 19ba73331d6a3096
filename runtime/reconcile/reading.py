"""One pass over the user list: page after page until nothing new comes, and whether that was everybody."""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

from hooks.facts import platform_id
from ledger.known import Present
from runtime.reconcile.compare import login_of
from runtime.reconcile.user_list import Page, PlatformLost, UserList

Json = dict[str, Any]

_MOST_LOST = 2
"""Pages that may fail one after the other before the pass ends."""
_MOST_BARREN = 2
"""Pages without anybody new: one may come of a list that grows at its front, or that counts pages from 1."""
_MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list."""

    id: str
    login: str
    user: Json


def mark(id_: str) -> int:
    """64 bits that stand for an id, so that a million of them fit into memory."""
    return int.from_bytes(hashlib.blake2b(id_.encode(errors="replace"), digest_size=8).digest(), "big")


@dataclass
class Pass:
    """What one pass has met so far. `seen` holds marks of ids."""

    seen: set[int] = field(default_factory=set[int])
    pages: int = 0
    unreadable: int = 0
    total: int | None = None
    lost: str = ""
    """The first page that did not come, and why."""

    async def rows(self, users: UserList) -> AsyncGenerator[list[Listed]]:
        """Each page's people who had not come before. Raises PlatformRefuses; PlatformLost if no page came at all."""
        number = barren = lost = 0
        last: Page | None = None
        while number < _MOST_PAGES and barren < _MOST_BARREN and lost < _MOST_LOST:
            beyond = last is not None and last.pages is not None and number >= last.pages
            try:
                page = await users.page(number)
            except PlatformLost as wrong:
                if last is None:
                    raise
                if beyond:
                    return
                lost += 1
                self.lost = self.lost or f"page {number + 1} did not come: {wrong}"
                number += 1
                continue
            last, lost = page, 0
            number += 1
            self.pages += 1
            if page.users or self.total is None:
                self.total = page.total  # a page behind the end may count nobody
            fresh = [row for row in map(self._listed, page.users) if row is not None]
            barren = 0 if fresh else barren + 1
            yield fresh
            if not page.users and (beyond or page.pages is None or number >= page.pages):
                return

    def _listed(self, row: Any) -> Listed | None:
        """The row, if it can be read and is new."""
        user = cast("Json", row) if isinstance(row, dict) else {}
        id_, login = platform_id(user), login_of(user)
        if id_ is None or login is None:
            self.unreadable += 1
            return None
        if (marked := mark(id_)) in self.seen:
            return None
        self.seen.add(marked)
        return Listed(id_, login, user)

    @property
    def short(self) -> str:
        """Why nobody may be called removed for not being on it; empty if it was whole."""
        if self.lost:
            return self.lost
        if self.total is None:
            return "the list does not say how many people it has"
        if not self.seen:
            return "the list is empty"
        met = len(self.seen) + self.unreadable
        if met < self.total:
            return f"{met:,} people came of the {self.total:,} that the list counts"
        return ""

    @property
    def may_be_whole_next_time(self) -> bool:
        """Whether it only lacks people: a list that changed while it was read."""
        return bool(self.short and self.seen) and not self.lost and self.total is not None


@dataclass
class Met:
    """Whom a pass has met: by the marks of their ids, and those whom we know by login only."""

    read: Pass = field(default_factory=Pass)
    subjects: set[int] = field(default_factory=set[int])

    def includes(self, person: Present) -> bool:
        """Whether this person was on the list."""
        by_id = person.platform_id is not None and mark(person.platform_id) in self.read.seen
        return by_id or person.subject.int in self.subjects
