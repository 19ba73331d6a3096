"""A ledger with a past: its tables lie in months long gone, and what is received can be received in one of them."""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.engine import connect
from ledger.retention import Gone, Order, drop_month, drop_rows
from settings.spans import FLOOR
from tests.conftest import TEMPLATE
from tests.ledger.sealing import Ledger, database
from tests.support import Servers

Drop = Callable[[AsyncConnection, Order], Awaitable[list[Gone]]]

OLD = date(2024, 3, 1)
"""A month that may be dropped."""
OLDER = date(2024, 2, 1)
BEYOND = date(2024, 4, 1)
"""Where it ends."""
IN_OLD = "id >= 2024030000000000 AND id < 2024040000000000"
"""Its entries, as a condition."""

_PAST = """
    DO $$ DECLARE s text; BEGIN
        SET LOCAL ROLE hookledger_owner;
        FOR s IN SELECT unnest(ARRAY['deliveries', 'bodies', 'entries']) LOOP
            EXECUTE (SELECT format('DROP TABLE %I', part) FROM months WHERE store = s AND first IS NULL AND beyond IS NOT NULL);
            PERFORM make_month(s, '{older}'), make_month(s, '{old}'), make_month(s, date_trunc('month', now() AT TIME ZONE 'UTC')::date);
        END LOOP;
    END $$
"""
_NUMBERED = """
    CREATE OR REPLACE FUNCTION next_entry() RETURNS bigint LANGUAGE sql RETURN {month} * 10000000000 + nextval('entry_numbers')
"""
_NOW = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMM')::bigint"


async def give_past(ledger: Ledger) -> None:
    """An empty ledger gets two old months and this one, in place of the one for everything before."""
    await ledger.sql(_PAST.format(older=OLDER, old=OLD))


def id_in(month: date) -> uuid.UUID:
    """A uuid v7 of that month's first day."""
    at = datetime(month.year, month.month, 1, 12, tzinfo=UTC)
    low = uuid.uuid4().int & ((1 << 76) - 1) & ~(3 << 62) | (2 << 62)
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | low)


@asynccontextmanager
async def living_in(ledger: Ledger, month: date) -> AsyncGenerator[None]:
    """What is written meanwhile is of that month; people who come meanwhile came then."""
    await ledger.sql(_NUMBERED.format(month=month.strftime("%Y%m")))
    yield
    await ledger.sql(
        _NUMBERED.format(month=_NOW),
        f"UPDATE subjects SET created_at = '{month}' WHERE created_at > clock_timestamp() - interval '1 hour'",
    )


async def receive_in(ledger: Ledger, month: date, *logins: str, **changes: Any) -> list[uuid.UUID]:
    """Takes in a hook for each of these people; gives the receipts."""
    receipts = [id_in(month) for _ in logins]
    async with living_in(ledger, month):
        for login, receipt in zip(logins, receipts, strict=True):
            await ledger.receive(login, id=receipt, **changes)
    return receipts


@asynccontextmanager
async def a_past(servers: Servers) -> AsyncGenerator[str]:
    """A database to copy: two months of 2024 and this one, eight entries in the older, twelve in the other, four now;
    all sealed. Four people."""
    async with database(servers, TEMPLATE, short_ids=False) as ledger:
        await give_past(ledger)
        await receive_in(ledger, OLDER, *(f"person{n % 4}" for n in range(8)))
        await receive_in(ledger, OLD, *(f"person{n % 4}" for n in range(12)))
        await ledger.receive(*(f"person{n}" for n in range(4)))
        await ledger.seal()
        name = await ledger.root.fetchval("SELECT current_database()")
        await ledger.root.close()
        yield name


async def count(ledger: Ledger, what: str) -> int:
    """Rows of a table, with a condition if there is one."""
    return await ledger.root.fetchval(f"SELECT count(*) FROM {what}")


async def drop(ledger: Ledger, class_: str = "entries", beyond: date = BEYOND) -> list[Gone]:
    """As the worker does it, with the application's rights."""
    return await _drop(ledger, drop_month, class_, beyond)


async def rows_dropped(ledger: Ledger, class_: str) -> list[Gone]:
    """The same of a class that does not lie in months."""
    return await _drop(ledger, drop_rows, class_, BEYOND)


async def _drop(ledger: Ledger, how: Drop, class_: str, beyond: date) -> list[Gone]:
    engine = connect(ledger.store.url, name="retention test", pool_size=1, statement_timeout=30)
    try:
        async with engine.begin() as connection:
            return await how(connection, Order(class_, beyond, FLOOR, "tester", "test"))
    finally:
        await engine.dispose()
