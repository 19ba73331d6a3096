"""Shares the store's connections out among tenants, so that one tenant's storm does not slow another's decisions."""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from ledger.engine import Session
from settings import Tenant

_HEEDED = 1.0
"""Seconds for which a decision keeps events to a third of the connections."""


class Full(Exception):
    """So many callers of the tenant wait already that another one is turned away at once."""


class _Share:
    """One tenant's calls of one kind: how many may be under way, how many are, and who waits."""

    __slots__ = ("busy", "most", "waiting")

    def __init__(self, most: int) -> None:
        self.most = most
        self.busy = 0
        self.waiting: deque[asyncio.Future[Session | None]] = deque()


class Admission:
    """Counters of one event loop; where nobody has to wait it costs two additions.

    Events of all tenants together leave one connection to decisions, and two thirds of all while decisions are being asked
    for: what events have under way is what a decision shares the store with. Who waits is let in as others leave: decisions
    first, then events, among tenants in turn, of one tenant in the order in which they came. Who leaves hands the connection
    over: giving it back and taking it again would cost both of them turns of the loop.
    """

    def __init__(
        self, size: int, tenants: Mapping[str, Tenant], give_back: Callable[[Session], None]
    ) -> None:
        """`give_back` takes a connection that nobody waits for."""
        self._size = size
        self._give_back = give_back
        self._events = max(1, size - 1)
        self._stepped_back = max(1, size // 3)
        self._heeded_until = 0.0
        self._busy = 0
        self._busy_events = 0
        self._shares: tuple[dict[str, _Share], dict[str, _Share]] = ({}, {})
        self._queues: tuple[OrderedDict[str, _Share], OrderedDict[str, _Share]] = (
            OrderedDict(),
            OrderedDict(),
        )
        self._patience: dict[str, int] = {}
        self.use(tenants)

    def use(self, tenants: Mapping[str, Tenant]) -> None:
        """Other limits from now on; calls under way go on."""
        alone = len(tenants) == 1
        for name, tenant in tenants.items():
            limits, size = tenant.limits, self._size
            most_events = limits.events or (self._events if alone else max(1, size // 2))
            most_decisions = limits.decisions or (size if alone else max(1, size * 3 // 4))
            for kind, most in ((0, most_events), (1, most_decisions)):
                share = self._shares[kind].setdefault(name, _Share(most))
                share.most = most
            self._patience[name] = limits.waiting

    def enter(self, tenant: str, decision: bool) -> bool:
        """Takes a place if one is free and nobody waits for it."""
        if decision:
            self._heeded_until = time.monotonic() + _HEEDED
        share = self._shares[decision][tenant]
        if share.waiting or not self._free(share, decision):
            return False
        self._take(share, decision)
        return True

    async def wait(self, tenant: str, decision: bool) -> Session | None:
        """Takes a place as soon as it is this caller's turn, mostly with a connection. Raises Full. The caller bounds the
        time."""
        share = self._shares[decision][tenant]
        if len(share.waiting) >= self._patience[tenant]:
            raise Full
        turn = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        self._queues[decision].setdefault(tenant, share)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(tenant, decision, turn.result())
            else:
                with contextlib.suppress(ValueError):
                    share.waiting.remove(turn)
            raise

    def leave(self, tenant: str, decision: bool, session: Session | None) -> None:
        """Gives the place back, and the connection, if it is a good one, to who comes in next, or to the pool."""
        self._shares[decision][tenant].busy -= 1
        self._busy -= 1
        if not decision:
            self._busy_events -= 1
        if self._queues[0] or self._queues[1]:
            session = self._let_in(session)
        if session is not None:
            self._give_back(session)

    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(len(share.waiting) for shares in self._shares for share in list(shares.values()))

    def _free(self, share: _Share, decision: bool) -> bool:
        return (
            share.busy < share.most
            and self._busy < self._size
            and (decision or self._busy_events < self._most_events())
        )

    def _most_events(self) -> int:
        return self._stepped_back if time.monotonic() < self._heeded_until else self._events

    def _take(self, share: _Share, decision: bool) -> None:
        share.busy += 1
        self._busy += 1
        if not decision:
            self._busy_events += 1

    def _let_in(self, session: Session | None) -> Session | None:
        """Gives the connection if nobody took it."""
        for decision in (True, False):
            queue, came = self._queues[decision], True
            while came:
                came = False
                for tenant in list(queue):
                    share = queue[tenant]
                    while share.waiting and share.waiting[0].done():
                        share.waiting.popleft()
                    if share.waiting and self._free(share, decision):
                        self._take(share, decision)
                        share.waiting.popleft().set_result(session)
                        queue.move_to_end(tenant)
                        session, came = None, True
                    if not share.waiting:
                        del queue[tenant]
        return session
