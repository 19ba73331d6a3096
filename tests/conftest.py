"""The servers of a test run, started once by the controlling process; a database per worker, a task queue per test."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from dev import postgres, temporal
from ledger.engine import Pool, connect_store, open_pool
from ledger.migrate import migrate_to_head
from runtime.attributes import SEARCH_ATTRIBUTES
from settings import Settings, Store
from tests.support import Servers, write_configuration

TEMPLATE = "hookledger_template"
_ROOM = 4 * 1024**3
_SERVERS = pytest.StashKey[Servers]()
_STOPS = pytest.StashKey[list[Callable[[], None]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers in the process that controls the run; workers are told where they are."""
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    if told is not None:
        config.stash[_SERVERS] = Servers(**json.loads(told["servers"]))
        return
    if config.option.collectonly:
        return
    directory = _roomy_place()
    pg = postgres.start(directory, durable=False)
    server = temporal.start(
        None,
        search_attributes=SEARCH_ATTRIBUTES,
        dynamic={"frontend.WorkflowTimeSkippingEnabled": "true"},
        gives_way=False,  # tests wait for it, in processes of another session
    )
    config.stash[_STOPS] = [server.stop, pg.stop, partial(shutil.rmtree, directory, ignore_errors=True)]
    template = pg.database(TEMPLATE)
    migrate_to_head(Store(url=template.app_url, owner_url=template.owner_url))
    config.stash[_SERVERS] = Servers(server.address, pg.port, dict(pg.passwords))


def _roomy_place() -> Path:
    """In memory where it has room: many a test makes a database, whose files cost a disk more than the test does."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    directory = Path(tempfile.mkdtemp(prefix="hookledger-tests-", dir=memory if roomy else None))
    directory.chmod(0o711)  # The server's own account must get through.
    return directory


def pytest_configure_node(node: Any) -> None:
    """xdist: hands the servers' addresses to a worker."""
    servers = node.config.stash[_SERVERS]
    node.workerinput["servers"] = json.dumps(servers.__dict__)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the servers."""
    for stop in config.stash.get(_STOPS, list[Callable[[], None]]()):
        stop()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Where Postgres and Temporal listen."""
    return pytestconfig.stash[_SERVERS]


@pytest.fixture(scope="session")
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A migrated database of this worker's own."""
    name = f"hookledger_{uuid.uuid4().hex[:12]}"
    root = await open_pool(
        Store(url=servers.url("postgres", "postgres"), pool_size=1, statement_timeout=30), "tests"
    )
    await root.execute(f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE {TEMPLATE}')
    yield Store(url=servers.url("hookledger_app", name), owner_url=servers.url("hookledger_owner", name))
    await root.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await root.close()


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A configuration with one tenant, `as100`, fresh keys, and a task queue of the test's own."""
    return write_configuration(tmp_path, store)


@pytest.fixture
async def pool(store: Store) -> AsyncGenerator[Pool]:
    """The answer path's pool."""
    pool = await open_pool(store, "test")
    yield pool
    await pool.close()


@pytest.fixture
async def engine(store: Store) -> AsyncGenerator[AsyncEngine]:
    """The worker's engine."""
    engine = connect_store(store, "test")
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def client(servers: Servers) -> Client:
    """A client of the real Temporal server."""
    os.environ["TEMPORAL_ADDRESS"] = servers.temporal
    return await Client.connect(servers.temporal)
