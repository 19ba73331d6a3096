"""The sealer as operators see it: one long-lived run on a real Temporal that seals what is written, and says so."""

import base64
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from ledger.sealed import Sealed
from runtime.long_lived import SEAL
from settings import Settings
from tests.conftest import TEMPLATE
from tests.ledger.sealing import Ledger, database
from tests.support import Servers, write_configuration
from tests.workflows.lifecycle import Lifecycle
from workflows.seal import NAME, SUMMARY, shown

QUICK = """
[ledger.seal]
origin = "example.com/test"
interval = 0.1
keys = [{ name = "first", secret = { file = "seal.key" } }]
"""


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """One that nobody else writes to."""
    async with database(servers, TEMPLATE) as ledger:
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """A round ten times a second."""
    (tmp_path / "seal.key").write_text(base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))
    return write_configuration(tmp_path, ledger.store, QUICK)


@pytest.fixture
async def run(person: Lifecycle, client: Client) -> AsyncGenerator[WorkflowHandle[Any, Any]]:
    """The run; ended by hand afterwards, as nothing else would end it."""
    temporal = person.settings.temporal
    await SEAL.start(client, temporal)
    handle = client.get_workflow_handle(SEAL.id(temporal.task_queue))
    yield handle
    await handle.terminate("the test is over")


async def test_what_is_written_is_sealed_round_after_round(
    person: Lifecycle, ledger: Ledger, run: WorkflowHandle[Any, Any]
) -> None:
    for expected in (1, 2):
        await person.store()
        await person.until(lambda: _sealed(ledger, expected))  # noqa: B023

    state = await run.describe()
    assert (state.status, state.workflow_type) == (WorkflowExecutionStatus.RUNNING, NAME)
    assert await state.static_summary() == SUMMARY
    await person.until(lambda: _says(run, "| 2 | 0 | 0 | nobody |"))


async def _sealed(ledger: Ledger, size: int) -> bool:
    return await ledger.root.fetchval("SELECT max(size) FROM checkpoints") == size


async def _says(run: WorkflowHandle[Any, Any], words: str) -> bool:
    found = await run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return words in found.current_details


def test_trouble_is_shown() -> None:
    words = shown(Sealed(0, 7, 3, "refused", 60.0, "no key"))

    assert "**Nothing was sealed:** no key" in words
    assert "not of this ledger's past" in words
