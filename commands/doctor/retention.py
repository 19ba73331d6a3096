"""Looks at the months: whether the next one is there, and whether rows belong to none."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from commands.doctor.findings import Check
from ledger.retention import Part, count_rest, read_months, today
from ledger.visit import OutOfReach, visit
from settings import Store

_WITHIN = 5.0
_REMEDY = "Run a worker, which makes months every day, or ./hookledger ledger retention --now."


async def look_at_months(store: Store) -> list[Check]:
    """One check; none while the store cannot be used, which is told elsewhere."""
    try:
        async with asyncio.timeout(_WITHIN), visit(store, statement_timeout=_WITHIN) as connection:
            return [
                check(await read_months(connection), await count_rest(connection), await today(connection))
            ]
    except (OutOfReach, TimeoutError):
        return []


def check(parts: Sequence[Part], rest: int, day: date) -> Check:
    """What to think of them on that day."""
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    there = min(
        max((p.beyond for p in parts if p.store == store and p.beyond), default=date.min)
        for store in ("deliveries", "bodies", "entries")
    )
    words = f"made up to {there - timedelta(days=1):%Y-%m}" if there > date.min else "none are there"
    if there <= following:
        lacking = "the next one lacks: what comes then will belong to no month"
        return Check("Months", "wrong", f"{words}, {lacking}", _REMEDY)
    if rest:
        words += f"; {rest:,} rows belong to none: a clock was far off. They are kept for good"
        return Check("Months", "note", words, "Look at the clocks of the hosts: ids carry their time.")
    return Check("Months", "fine", words)
