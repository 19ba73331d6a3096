"""What a store may raise is known as such, whatever the driver calls it: an event is then kept, and not lost to a 500."""

import asyncpg

from ledger.engine import StoreErrors


def test_every_error_of_the_driver_is_the_store_s() -> None:
    own = [kind for kind in vars(asyncpg).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    warnings = (asyncpg.PostgresWarning, Warning)
    others = [kind for kind in own if not issubclass(kind, (*StoreErrors, *warnings))]
    assert (len(own) > 200, others) == (True, [])
