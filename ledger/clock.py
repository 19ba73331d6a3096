"""The store's own time: what entries are dated by, whatever the clocks of our hosts say."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import reading

_NOW = text("SELECT clock_timestamp()")


async def store_time(engine: AsyncEngine) -> datetime:
    """Now, in UTC; every entry written before is older. Raises one of ledger.engine.EngineErrors."""
    async with reading(engine) as connection:
        return (await connection.execute(_NOW)).scalar_one().astimezone(UTC)
