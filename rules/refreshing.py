"""Fetches what a tenant's rules ask of the store beside the one round trip: its numbers, and its tables."""

from ledger.asked import holders, lookup_table, people
from ledger.engine import Pool
from rules.policy import Policy


async def refresh(pool: Pool, policy: Policy) -> None:
    """Only what the rules name. Raises one of ledger.engine.StoreErrors."""
    counts = policy.dialect.counts
    if "people" in policy.asks:
        counts.people = await people(pool, policy.tenant)
    if "holders" in policy.asks:
        counts.holders = await holders(pool, policy.tenant)
    for name in policy.stored_tables:
        policy.dialect.tables[name] = await lookup_table(pool, policy.tenant, name)
