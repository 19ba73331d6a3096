"""The session's edge on the real store, and its log."""

from collections.abc import AsyncGenerator, Generator

import pytest

from settings import Store
from tests.api.edge import Edge, Logged, configure, listen, logged
from tests.api.leaks import assert_nowhere
from tests.support import Servers


@pytest.fixture(scope="session")
async def edge(
    servers: Servers, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    """Tenants as100, as200; a Temporal server that nobody needs for an answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        settings = configure(tmp_path_factory.mktemp("edge"), store, "as200", api="deadline = 5.0")
        async with listen(settings) as edge:
            yield edge
        # Drained: what is written down late, as refusals are, has been written.
        await assert_nowhere(store, [], *_signatures(edge))


def _signatures(edge: Edge) -> list[str]:
    return [token.rpartition(".")[2] for token in edge.minted]


@pytest.fixture
def log() -> Generator[Logged]:
    """What is logged during the test."""
    with logged() as lines:
        yield lines


@pytest.fixture(scope="module")
async def nothing_leaks(edge: Edge, store: Store) -> AsyncGenerator[None]:
    """After the module's tests, sentinels and tokens are in no column of any table, and in no line of the log."""
    with logged() as log:
        yield
    await assert_nowhere(store, log.lines, *_signatures(edge))
