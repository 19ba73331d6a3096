"""Writes down the calls turned away: a ring of slots per tenant, overwritten, for operators to read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ledger.engine import Pool, within

RING = 100
"""Slots per tenant."""


class Refused(Protocol):
    """One call turned away, named by our own words only."""

    @property
    def tenant(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def hook(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def receipt(self) -> UUID: ...


_WRITE = f"""
    INSERT INTO refusals (tenant, slot, at, hook, status, reason, words, receipt)
    SELECT $1, (SELECT coalesce((SELECT slot FROM refusals WHERE tenant = $1 ORDER BY at DESC LIMIT 1), -1) + 1) % {RING},
           $2, $3, $4, $5, $6, $7
    ON CONFLICT (tenant, slot) DO UPDATE SET at = excluded.at, hook = excluded.hook, status = excluded.status,
        reason = excluded.reason, words = excluded.words, receipt = excluded.receipt
"""


async def write_refusals(pool: Pool, refused: Sequence[Refused]) -> None:
    """Takes the next slots of each tenant's ring."""
    rows = [(r.tenant, r.at, r.hook, r.status, r.reason, r.words, r.receipt) for r in refused]
    async with within(pool, *sorted({r.tenant for r in refused})) as session:
        await session.executemany(_WRITE, rows)
