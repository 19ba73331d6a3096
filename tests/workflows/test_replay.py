"""Every stored history of a workflow still replays: changing the interpreter needs workflow.patched."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHistory

from runtime.long_lived import SEAL, WATCH, LongLived
from runtime.workflows import WORKFLOWS
from settings import Settings, Store
from tests.support import write_configuration
from tests.workflows.lifecycle import Lifecycle
from tests.workflows.replaying import STORED, replay, replay_fresh

QUICK = """
[sweep]
unrung = 0.1
quiet = 1.0
[watch]
interval = 0.05
[ledger.seal]
origin = "example.com/replay"
interval = 0.05
keys = [{ name = "first", secret = { file = "seal.key" } }]
"""


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """The lifecycle tests' own, with rounds of watch and sealer one after the other."""
    (tmp_path / "seal.key").write_text("B" * 42 + "A")
    return write_configuration(tmp_path, store, QUICK)


each_stored = pytest.mark.parametrize("path", sorted(STORED.glob("*.json")), ids=lambda path: path.stem)


def _workflow_of(path: Path) -> str:
    first: dict[str, Any] = json.loads(path.read_text())["events"][0]
    return first["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]


@each_stored
async def test_stored_histories_replay(path: Path) -> None:
    await replay(WorkflowHistory.from_json(path.stem, path.read_text()))


def test_each_workflow_has_a_stored_history() -> None:
    stored = {_workflow_of(path) for path in STORED.glob("*.json")}
    assert stored == {workflow.__name__ for workflow in WORKFLOWS}


@each_stored
def test_no_stored_history_names_the_machine_it_was_made_on(path: Path) -> None:
    assert not re.search(r'"\d+@|\.py\b', path.read_text())


@pytest.mark.parametrize(
    "story",
    [
        ["badge"],
        ["badge", "door", "flaky"],
        ["refused", "badge"],
        ["held"],
        ["creation", "provisioning", "badge"],
        ["slow", "badge", "counted"],
        ["batched"],
    ],
    ids="-".join,
)
async def test_fresh_histories_replay(person: Lifecycle, client: Client, story: list[str]) -> None:
    for _ in range(3):
        await person.send(*story)
    await person.ended()
    found = [w async for w in client.list_workflows(f'WorkflowId = "{person.handle.id}"')]
    for n, run in enumerate(found):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        await replay_fresh(history, f"{'-'.join(story)}-{n}")


@pytest.mark.parametrize("always", [WATCH, SEAL], ids=lambda always: always.prefix)
async def test_fresh_histories_of_long_lived_runs_replay(
    person: Lifecycle, client: Client, always: LongLived
) -> None:
    """A run that goes on as new, and the one after it, ended by hand."""
    queue = person.settings.temporal.task_queue
    handle = await client.start_workflow(always.name, 2, id=always.id(queue), task_queue=queue)
    first = handle.first_execution_run_id

    async def went_on() -> bool:
        return (await client.get_workflow_handle(handle.id).describe()).run_id != first

    await person.until(went_on)
    last = client.get_workflow_handle(handle.id)
    await last.terminate("the test is over")
    for n, run_id in enumerate((first, (await last.describe()).run_id)):
        run = client.get_workflow_handle(handle.id, run_id=run_id)
        await replay_fresh(await run.fetch_history(), f"{always.prefix}-{n}")


async def test_a_changed_order_is_found(person: Lifecycle) -> None:
    """The replay can fail: a history whose first local activity bears another name is refused."""
    await person.send("badge")
    await person.ended()
    text = json.dumps((await person.handle.fetch_history()).to_json_dict())
    broken = WorkflowHistory.from_json(person.handle.id, text.replace('"name": "badge"', '"name": "other"'))
    with pytest.raises(Exception, match=r"(?i)nondeterminism"):
        await replay(broken)
