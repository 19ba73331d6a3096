"""A world of each test's own: what a run finds depends on everybody in the store."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from settings import Store
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.runtime.reconcile.world import World, world
from tests.support import Servers


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A migrated, empty database."""
    async with database(servers, TEMPLATE) as store:
        yield store


@pytest.fixture
async def here(tmp_path: Path, store: Store) -> AsyncGenerator[World]:
    """A tenant whose pages hold three people."""
    async with world(tmp_path, store, "page_size = 3") as made:
        yield made
