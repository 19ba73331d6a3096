"""What is seen of an api: its pool, its breaker, its rings, its spool; all from memory."""

from typing import Any

from api.receive import Receiver
from ledger.engine import Pool
from ledger.figures import takes_hooks
from runtime.bell import Bell
from runtime.seeing.listener import Checks
from runtime.seeing.meters import Meters


class Measured:
    """Of one api."""

    def __init__(self, receiver: Receiver, bell: Bell, pool: Pool, errands: Pool) -> None:
        """`pool` is what callers have, `errands` what everybody else has of the store."""
        self._receiver = receiver
        self._bell = bell
        self._pool = pool
        self._errands = errands
        spool = receiver.spool
        self.checks: Checks = {} if spool is None else {"spool": lambda: spool.trouble}

    async def reach(self) -> None:
        """Whether the store takes hooks."""
        await takes_hooks(self._errands)

    async def read(self) -> None:
        """Nothing: a worker asks for figures."""

    def goes_on(self) -> bool:
        """Without the store hooks are taken while the spool has room for one."""
        spool, most = self._receiver.spool, self._receiver.settings.api.max_body
        return spool is not None and spool.free() >= most

    async def run(self) -> None:
        """Nothing beside."""

    def register(self, meters: Meters) -> None:
        """Adds an api's gauges."""
        receiver, bell, pool = self._receiver, self._bell, _sized(self._pool)
        gauge = meters.gauge
        gauge("pool_size", "Connections to the store, for calls.", pool.get_size)
        gauge("pool_in_use", "Those under a call.", lambda: pool.get_size() - pool.get_idle_size())
        gauge("pool_waiting", "Calls that wait for their turn at the store.", receiver.admission.waiting)
        gauge("breaker_open", "Whether the store is asked no more.", lambda: receiver.breaker.tripped)
        gauge("ring_queue", "People to be rung for, or just rung for.", lambda: bell.people)
        gauge("rings_missed", "Rings left to the sweep since the start.", lambda: bell.missed)
        gauge("rings_sent", "Rings since the start.", lambda: bell.sent)
        gauge("answering", "Calls being answered.", lambda: bell.answering)
        gauge("unrecorded", "Answers given without the store, in memory.", lambda: len(receiver.unrecorded))
        if (spool := receiver.spool) is not None:
            gauge("spool_records", "What waits in the spool.", lambda: spool.figures().records)
            gauge("spool_bytes", "Octets in the spool.", lambda: spool.figures().octets)
            gauge("spool_free_bytes", "Octets that the spool still takes.", spool.free)
            gauge("spool_age_seconds", "Age of the oldest in the spool.", lambda: spool.figures().age)


def _sized(pool: Pool) -> Any:
    return pool
