"""Histories are replayed without a server; fresh ones are written into tests/histories when they are to be recorded."""

import json
import os
import re
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.workflows import WORKFLOWS

STORED = Path(__file__).parent.parent / "histories"
RECORD = "HOOKLEDGER_RECORD_HISTORIES"
"""Set, with any value, to write fresh histories into tests/histories; one that is there already stays as it is."""
_MASKS = (
    (r'"(identity|name)": "\d+@[^"]*"', r'"\1": "worker"'),
    (r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""'),
)
"""What names the machine that a history was made on; a replay does not ask for it."""


async def replay(history: WorkflowHistory) -> None:
    """Raises if the code of today would do something else, or in another order."""
    await Replayer(workflows=WORKFLOWS).replay_workflow(history)


async def replay_fresh(history: WorkflowHistory, name: str) -> None:
    """The same; with `RECORD` the history is stored under this name."""
    await replay(history)
    path = STORED / f"{name}.json"
    if RECORD in os.environ and not path.exists():
        text = json.dumps(history.to_json_dict(), indent=1) + "\n"
        for pattern, instead in _MASKS:
            text = re.sub(pattern, instead, text)
        path.write_text(text)
