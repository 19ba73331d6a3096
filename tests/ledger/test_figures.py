"""What the store says of itself, where an alert depends on it."""

import pytest

from ledger.figures import read_figures
from tests.conftest import TEMPLATE
from tests.ledger.sealing import database
from tests.support import Servers


async def test_a_ledger_that_was_never_sealed_grows_old_from_its_first_entry_on(servers: Servers) -> None:
    """Sealing that has never worked must not look like sealing that has nothing to do."""
    async with database(servers, TEMPLATE) as ledger:
        assert (await read_figures(ledger.root)).checkpoint_age is None
        await ledger.receive("a", "b")
        await ledger.sql(
            "SET session_replication_role = replica",
            "UPDATE entries SET at = at - interval '1 hour' WHERE id = (SELECT min(id) FROM entries)",
        )
        waiting = await read_figures(ledger.root)
        assert waiting.unsealed == 2
        assert waiting.checkpoint_age == pytest.approx(3600, abs=60)
        await ledger.seal()
        sealed = await read_figures(ledger.root)
        assert sealed.unsealed == 0
        assert sealed.checkpoint_age == pytest.approx(0, abs=60)
