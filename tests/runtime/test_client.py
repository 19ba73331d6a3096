"""Only an error's type reaches a history, whoever raised it."""

import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio import activity as temporal
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import Interceptor, Worker

from ledger.plan import Item
from runtime.client import Hush
from runtime.logs import formatter
from workflows.user_lifecycle import NAME, Start, UserLifecycle

PRIVATE = "private.person@example.com"


def _failing(times: int) -> Callable[[str], Any]:
    """A `take` whose first calls fail with a private text, as a library's might."""
    calls: list[str] = []

    @temporal.defn(name="take")
    async def take(subject: str) -> list[Item]:
        calls.append(subject)
        if len(calls) <= times:
            raise RuntimeError(f"could not write {PRIVATE}")
        return []

    return take


async def _history(client: Client, *interceptors: Interceptor, fails: int) -> tuple[str, Any]:
    queue = f"test-{uuid.uuid4().hex[:8]}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[UserLifecycle],
        activities=[_failing(fails)],
        interceptors=list(interceptors),
    ):
        handle: WorkflowHandle[Any, Any] = await client.start_workflow(
            NAME, Start("nobody"), id=f"hush-{queue}", task_queue=queue
        )
        await handle.result()
    text = json.dumps((await handle.fetch_history()).to_json_dict())
    return text, (await handle.describe()).status


async def test_a_librarys_error_text_stays_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Three local tries and one as a regular activity fail; then it goes on."""
    text, status = await _history(client, Hush(), fails=4)
    assert status is WorkflowExecutionStatus.COMPLETED
    assert "RuntimeError" in text
    assert PRIVATE not in text
    warned = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert {r.getMessage() for r in warned} == {"take failed: RuntimeError"}
    told = "".join(formatter(as_json=False).format(r) for r in warned)
    assert ("in take" in told, PRIVATE in told) == (True, False), "where it went wrong, not what it said"


async def test_without_it_the_text_would_be_there(client: Client) -> None:
    """The test above can fail."""
    text, _ = await _history(client, fails=3)
    assert PRIVATE in text
