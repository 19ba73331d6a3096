"""Keeps what is answered without the store, until it can be recorded: on this host's disk, else in memory."""

import asyncio
import logging
from datetime import datetime

from api.heard import Heard
from api.spooled import Answer, Event, write
from api.unrecorded import Late, Unrecorded
from hooks.facts import platform_id
from rules.normal import login as normal_login
from runtime.spool import NoRoom, Spool

log = logging.getLogger(__name__)

_LOOK = 0.02
"""Seconds between two looks whether something of a person is still in the spool."""
_ON_DISK_WITHIN = 2.0
"""Seconds for the spool's disk, before an answer is kept in memory instead."""


class Keeping:
    """One per process. `spool` is None where there is none."""

    def __init__(self, spool: Spool | None, unrecorded: Unrecorded) -> None:
        self.spool = spool
        self._unrecorded = unrecorded
        self._keeping: set[asyncio.Task[None]] = set()

    @property
    def waits(self) -> bool:
        """Whether anything of this host waits on disk, or is on its way there: then events queue behind it."""
        return bool(self._keeping) or (self.spool is not None and self.spool.waits)

    async def until_recorded(self, heard: Heard) -> None:
        """Returns once nothing waits of the person that this is about. The caller bounds the time."""
        if self.spool is None:
            return
        tenant, names = heard.caller.tenant, _names(heard)
        # It may be another process that records: there is nothing here to be woken by.
        while self.spool.waits and self.spool.waits_for(tenant, *names):  # noqa: ASYNC110 - see above
            await asyncio.sleep(_LOOK)

    async def event(self, heard: Heard, event: Event, until: float) -> None:
        """On disk when this returns. Raises NoRoom, also where there is no spool, and when it is not there by then: it
        may get there yet. `until` is the loop's time."""
        if self.spool is None:
            raise NoRoom
        await self._append(self.spool, heard, write(event), event.at, _left(until))

    async def answer(self, heard: Heard, late: Late, until: float) -> None:
        """On disk by then, else on its way there or in memory: a decision is given in any case. `until` is the loop's time."""
        if self.spool is None:
            self._unrecorded.add(late)
            return
        keeping = asyncio.create_task(self._keep(self.spool, heard, late, write(Answer.of(late))))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        await asyncio.wait({keeping}, timeout=_left(until))

    async def _keep(self, spool: Spool, heard: Heard, late: Late, text: bytes) -> None:
        try:
            await self._append(spool, heard, text, late.at, _ON_DISK_WITHIN)
        except NoRoom:
            self._unrecorded.add(late)

    async def _append(self, spool: Spool, heard: Heard, text: bytes, at: datetime, within: float) -> None:
        places = spool.places(heard.caller.tenant, *_names(heard))
        try:
            async with asyncio.timeout(within):
                await spool.append(text, round(at.timestamp() * 1e6), places)
        except (NoRoom, TimeoutError) as wrong:
            log.error("spool: no room for %s (%s)", heard.receipt, type(wrong).__name__)
            raise NoRoom from None


def _left(until: float) -> float:
    return max(0.0, until - asyncio.get_running_loop().time())


def _names(heard: Heard) -> tuple[str | None, str | None]:
    """What a person is found by in the spool."""
    login, number = heard.user.get("login"), platform_id(heard.user)
    return (normal_login(login) if isinstance(login, str) else None), number
