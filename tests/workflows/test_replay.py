"""Every stored history of a lifecycle still replays: changing the interpreter needs workflow.patched."""

import json
import os
import re
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from tests.workflows.lifecycle import Lifecycle
from workflows.user_lifecycle import UserLifecycle

STORED = Path(__file__).parent.parent / "histories"
RECORD = "HOOKLEDGER_RECORD_HISTORIES"
"""Set, with any value, to write the histories of test_fresh_histories_replay into tests/histories."""


@pytest.mark.parametrize("path", sorted(STORED.glob("*.json")), ids=lambda p: p.stem)
async def test_stored_histories_replay(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    await Replayer(workflows=[UserLifecycle]).replay_workflow(history)


def test_there_are_stored_histories() -> None:
    assert len(list(STORED.glob("*.json"))) >= 5


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
    replayer = Replayer(workflows=[UserLifecycle])
    found = [w async for w in client.list_workflows(f'WorkflowId = "{person.handle.id}"')]
    for n, run in enumerate(found):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        await replayer.replay_workflow(history)
        if RECORD in os.environ:
            STORED.mkdir(exist_ok=True)
            text = json.dumps(history.to_json_dict(), indent=1) + "\n"
            text = re.sub(r'"identity": "\d+@[^"]*"', '"identity": "worker"', text)
            (STORED / f"{'-'.join(story)}-{n}.json").write_text(text)


async def test_a_changed_order_is_found(person: Lifecycle) -> None:
    """The replay can fail: a history whose first local activity bears another name is refused."""
    await person.send("badge")
    await person.ended()
    text = json.dumps((await person.handle.fetch_history()).to_json_dict())
    broken = WorkflowHistory.from_json(person.handle.id, text.replace('"name": "badge"', '"name": "other"'))
    with pytest.raises(Exception, match=r"(?i)nondeterminism"):
        await Replayer(workflows=[UserLifecycle]).replay_workflow(broken)
