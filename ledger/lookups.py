"""Tables for lookup() that live in the store, replaced as a whole."""

from collections.abc import Mapping

from sqlalchemy import delete, insert

from ledger.engine import Connection
from ledger.tables import lookups


async def replace_table(connection: Connection, tenant: str, name: str, rows: Mapping[str, str]) -> None:
    """Makes the table these rows and no others, in the transaction of the connection."""
    await connection.execute(delete(lookups).where(lookups.c.tenant == tenant, lookups.c.name == name))
    if rows:
        values = [{"tenant": tenant, "name": name, "key": key, "value": value} for key, value in rows.items()]
        await connection.execute(insert(lookups), values)
