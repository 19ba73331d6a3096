"""What lies sealed in the store."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Sealed:
    """Secrets that wait for an activity; `oldest` is when the one that expires first was sealed, None without any."""

    count: int
    oldest: datetime | None


_COUNT = text("""
    SELECT count(*), min(d.received_at) FROM vault v JOIN deliveries d ON d.id = v.delivery
""")


async def sealed(connection: AsyncConnection) -> Sealed:
    """How many there are."""
    return Sealed(*(await connection.execute(_COUNT)).one())
