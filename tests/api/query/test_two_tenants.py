"""Whatever two tenants send, ask, export and do, in whatever order: no bit crosses over."""

from collections.abc import AsyncGenerator, Iterator

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from ledger.engine import open_pool
from settings import Store
from tests.api.query.both import (
    DEEDS,
    ERASURES,
    HOOKS,
    LISTS,
    MEDIA,
    OTHER,
    QUESTIONS,
    Both,
    Step,
    both_on,
    calls_of,
    mark,
    text_of,
)
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hook"] * 4 + ["ask"] * 4 + [*DEEDS]),
        st.sampled_from(sorted(OTHER)),
        st.integers(0, 1_000),
        st.integers(0, 1_000),
        st.integers(0, 1_000),
    ),
    min_size=4,
    max_size=12,
)

_WAYS = {"erase": len(ERASURES), "key": 3, "list": len(LISTS), "pack": 4, "redrive-all": 2}
"""How many ways there are of a deed: one, unless it says."""
_BEFORE = {
    "approve": (("redrive-all", 1), ("brake", 0)),
    "reject": (("redrive-all", 1), ("brake", 0)),
    "release": (("hold", 0),),
    "revoke": (("key", 0),),
    "certificate": (("erase", ERASURES.index("erase")),),
}
"""What makes that which a deed is done to."""
_TO_SOMEBODY = ("certificate", "erase", "hold", "release")
"""Deeds for which there must be somebody who was neither erased nor is held."""


@pytest.fixture(scope="module")
async def both(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Both]:
    """Both, with something of everything."""
    async with database(servers, TEMPLATE) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
            name = store.url.rpartition("/")[2]
            store = store.model_copy(update={"keeper_url": servers.url("hookledger_keeper", name)})
            root = await open_pool(Store(url=servers.url("postgres", name)), "root")
            async with both_on(store, tmp_path_factory.mktemp("both"), root) as both:
                yield both
            await root.close()


@hypothesis.settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_nothing_crosses_over(both: Both, steps: list[Step]) -> None:
    for step in steps:
        await _take(both, step)


@pytest.mark.parametrize("tenant", OTHER)
async def test_every_call_succeeds_with_what_is_the_tenants_own(both: Both, tenant: str) -> None:
    """That nothing crosses over tells something only of calls that are answered."""
    await both.fill(tenant)
    failed = [step for step in _deeds() if not await _succeeds(both, tenant, *step)]
    assert not failed, f"{tenant} was never answered 200 to {failed}"

    for which, question in enumerate(QUESTIONS):
        for how in range(2 * len(MEDIA)):
            status = await _take(both, ("ask", tenant, 1, which, how))
            assert status == 200, f"{tenant} asked {question} in way {how}"

    missing = calls_of(both.desk.settings) - both.succeeded[tenant]
    assert not missing, f"no step here asks {missing}"


def _deeds() -> Iterator[tuple[str, int]]:
    return ((deed, how) for deed in DEEDS for how in range(_WAYS.get(deed, 1)))


async def _succeeds(both: Both, tenant: str, deed: str, how: int) -> bool:
    """Whether the deed is done to one at least of what is there for it."""
    await (both.fill(tenant) if deed in _TO_SOMEBODY else both.go_wrong(tenant))
    for before, way in _BEFORE.get(deed, ()):
        await _any(both, tenant, before, way)
    return await _any(both, tenant, deed, how)


async def _any(both: Both, tenant: str, deed: str, how: int) -> bool:
    for which in range(60):
        if await _take(both, (deed, tenant, 1, which, how)) == 200:
            return True
    return False


async def _take(both: Both, step: Step) -> int:
    """Takes a step and looks whether anything crossed over; gives the status."""
    tenant = step[1]
    other = OTHER[tenant]
    before = await both.digest(other)
    theirs = {id_ for ids in (await both.ids(other)).values() for id_ in ids}

    answer, said = await both.take(step)

    text = text_of(answer)
    assert answer.status_code < 500, (step, text)
    assert answer.status_code not in {401, 429}, (step, "whoever asks has a good key, and may ask often")
    assert answer.status_code == 200 or step[0] != "hook", (step, text)
    assert mark(other) not in text, step
    crossed = [name for name in theirs if name in text and name not in said]
    assert not crossed, step
    assert await both.digest(other) == before, step
    return answer.status_code


async def test_the_look_out_sees_both(both: Both) -> None:
    """Both tenants have something of every kind that was played, and a change of one shows."""
    digests = [await both.digest(tenant) for tenant in OTHER]
    for table in ("bodies", "deliveries", "entries", "handles", "identities", "keys", "subjects", "work"):
        assert digests[0][table] != digests[1][table] is not None, table
    before = digests[0]
    answer, _ = await both.take(("hook", "as100", 1, len(HOOKS), 0))
    assert answer.status_code == 200, answer.text
    assert await both.digest("as100") != before
