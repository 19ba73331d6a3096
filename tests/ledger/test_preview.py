"""What would be decided, found by reading alone, is what is then decided."""

import random

import pytest

from ledger.engine import Pool, open_pool
from ledger.preview import preview
from ledger.receive import receive
from settings import Store
from tests.rules.quarrels import quarrel


@pytest.mark.parametrize("seed", range(25))
async def test_the_preview_is_what_receive_then_decides(pool: Pool, store: Store, seed: int) -> None:
    chance, tenant = random.Random(seed), f"preview-{seed}"
    only_reads = await open_pool(store, "test", read_only=True)
    for step in range(40):
        d = quarrel(chance, tenant)
        before = None if d.fact else await preview(only_reads, d)
        got = await receive(pool, d)

        if before is not None:
            said = before.receipt
            where = f"step {step}: {d.hook} {d.person and d.person.login} {d.wishes}"
            assert (said.verdict, sorted(said.codes)) == (got.verdict, sorted(got.codes)), where
            assert [*said.names] == [*got.names], where
            assert said.subject in (None, got.subject), where
    await only_reads.close()
