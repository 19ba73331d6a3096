"""What a store may raise is known as such, whatever the driver calls it: an event is then kept, and not lost to a 500.
And connections that wait in a pool."""

import asyncpg
import pytest
from sqlalchemy import text

from ledger.engine import Pool, StoreErrors, connect
from settings import Store


def test_every_error_of_the_driver_is_the_store_s() -> None:
    own = [kind for kind in vars(asyncpg).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    warnings = (asyncpg.PostgresWarning, Warning)
    others = [kind for kind in own if not issubclass(kind, (*StoreErrors, *warnings))]
    assert (len(own) > 200, others) == (True, [])


async def test_a_connection_that_died_in_the_pool_is_replaced(
    store: Store, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.engine._PLANS_LAST", 0.0)  # it is asked something before it is given out
    engine = connect(store.url, name="test", pool_size=1, statement_timeout=5)
    pid = text("SELECT pg_backend_pid()")
    async with engine.begin() as connection:
        died = (await connection.execute(pid)).scalar_one()
    await pool.execute("SELECT pg_terminate_backend($1, 1000)", died)
    async with engine.begin() as connection:
        assert (await connection.execute(pid)).scalar_one() != died
    await engine.dispose()
