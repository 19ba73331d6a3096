"""Stores that answer and keep nothing: what a failover, or a grant that was forgotten, leaves."""

from settings import Store
from tests.ledger.sealing import connect

READ_ONLY = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$"
NOT_GRANTED = "REVOKE INSERT ON deliveries FROM hookledger_app"
CLOSED = {"read-only": READ_ONLY, "closed to the role": NOT_GRANTED}
"""What to do to a store, by the words in which it is told."""


async def close(store: Store, how: str) -> None:
    """For connections that are made from now on."""
    assert store.owner_url is not None
    connection = await connect(store.owner_url)
    await connection.execute(how)
    await connection.close()
