"""Looks at the seal: whether there is a key, and whether what is written is sealed in time."""

import asyncio
from datetime import UTC, datetime, timedelta

from commands.doctor.findings import Check
from commands.times import ago
from ledger.published import SealingState, read_sealing
from ledger.visit import OutOfReach, look
from settings import Settings

_WITHIN = 5.0
_LATE = 5
"""Intervals after which what waits has waited too long."""


async def look_at_sealing(settings: Settings) -> list[Check]:
    """One check; none while the store cannot be used, which is told elsewhere."""
    if settings.ledger.seal is None:
        words = "nothing is sealed: no key is configured, so a change of the ledger could not be found"
        return [Check("Sealing", "note", words, "Give [ledger.seal] an origin and a key: docs/verify.md.")]
    try:
        async with asyncio.timeout(_WITHIN), look(settings.store) as pool:
            state = await read_sealing(pool)
    except (OutOfReach, TimeoutError):
        return []
    interval = timedelta(seconds=settings.ledger.seal.interval)
    elsewhere = "" if settings.ledger.holder else "; nobody keeps checkpoints elsewhere"
    return [_check(state, interval, elsewhere, datetime.now(UTC))]


def _check(state: SealingState, interval: timedelta, elsewhere: str, now: datetime) -> Check:
    words = f"{state.size:,} entries sealed"
    if state.sealed_at:
        words += f", the newest checkpoint was made {ago(state.sealed_at, now)}"
    if state.waiting:
        words += f"; {state.waiting:,} wait"
    if state.oldest and now - state.oldest > _LATE * interval:
        words += f", the oldest from {ago(state.oldest, now)}"
        remedy = "See the worker's log, or try ./hookledger ledger seal where its key is."
        return Check("Sealing", "wrong", words, remedy)
    return Check("Sealing", "fine", words + elsewhere)
