"""The activity behind the workflow `Seal`: one round, bounded in time; also what ./hookledger ledger seal runs."""

import logging
import time

from temporalio import activity

from ledger.note import signer_of, verifiers_of
from ledger.seal import MOST, Broken, Step, count_waiting, read_head, seal, sealing
from ledger.sealed import Held, Sealed
from runtime.holder import hand_over, keeper_of
from settings import Settings
from workflows.seal import ACTIVITY

log = logging.getLogger(__name__)

ENOUGH = 30.0
"""Seconds after which a round leaves the rest to the next one."""
SOON = 1.0
"""Seconds until the next round when this one did not get through."""
_PAUSE = 60.0
NO_KEY = "no key is configured in [ledger.seal], or this process is not given its secret"


class Sealer:
    """Bound to the configuration. One step seals at most `most` entries, in one transaction."""

    def __init__(self, settings: Settings, most: int = MOST) -> None:
        self._store = settings.store
        self._seal = settings.ledger.seal
        self._signer = signer_of(self._seal)
        self._keys = verifiers_of(self._seal)
        self._keeper = keeper_of(settings.ledger.holder)
        self._most = most
        if self._signer is None:
            log.warning("the ledger is not sealed: %s", NO_KEY)

    @activity.defn(name=ACTIVITY)
    async def seal(self) -> Sealed:
        """One round. Without a key nothing is sealed: never a tree that nobody has signed. Raises OutOfReach."""
        async with sealing(self._store) as connection:
            count, trouble, full = 0, "" if self._signer else NO_KEY, False
            enough = time.monotonic() + ENOUGH
            try:
                while self._signer:
                    step = await seal(connection, self._signer, self._keys, self._most)
                    count, full = count + step.sealed, step.full
                    _tell(step)
                    if not full or time.monotonic() > enough:
                        break
            except Broken as wrong:
                trouble = f"{wrong}; ./hookledger ledger verify says what was done"
                log.error("the ledger is not sealed: %s", trouble)
            head = await read_head(connection)
            held: Held = "nobody"
            if self._keeper and head and not trouble:
                held = await hand_over(self._keeper, head, self._keys, connection)
            waiting = await count_waiting(connection)
        size = head.checkpoint.size if head else 0
        interval = self._seal.interval if self._seal else _PAUSE
        return Sealed(count, size, waiting, held, min(SOON, interval) if full else interval, trouble)


def _tell(step: Step) -> None:
    """Publishes the checkpoint in the log: on one line, from which it can be had again."""
    if step.sealed and step.head:
        log.info("checkpoint %r", step.head.note)
