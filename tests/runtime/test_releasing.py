"""Builds of workers: the first becomes current by itself, tasks go to the current one, and back again."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from runtime import releasing
from runtime.releasing import (
    Build,
    CannotRelease,
    build_id,
    builds,
    first_of_all,
    make_current,
    ramp,
    versioned,
)


@workflow.defn(name="WaitsForWord", sandboxed=False)
class WaitsForWord:
    """A run that lasts until it is told to end, and tells on which build."""

    def __init__(self) -> None:
        self._told = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._told)
        version = workflow.info().get_current_deployment_version()
        return version.build_id if version else ""

    @workflow.signal
    def end(self) -> None:
        self._told = True


@pytest.fixture
def name() -> str:
    return f"release-{uuid.uuid4().hex[:8]}"


@asynccontextmanager
async def _worker(client: Client, name: str, build: str) -> AsyncGenerator[None]:
    async with Worker(client, task_queue=name, workflows=[WaitsForWord], **versioned(name, build)):
        await _until(client, name, lambda found: any(known.id == build for known in found))
        yield


async def _until(client: Client, name: str, good: Callable[[list[Build]], bool]) -> None:
    for _ in range(100):
        if good(await builds(client, name)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await builds(client, name))


async def _run(client: Client, name: str) -> str:
    handle = await client.start_workflow("WaitsForWord", id=f"{name}-{uuid.uuid4().hex[:6]}", task_queue=name)
    await handle.signal("end")
    return str(await asyncio.wait_for(handle.result(), 20))


async def test_tasks_go_to_the_current_build_and_back(client: Client, name: str) -> None:
    assert await builds(client, name) == []
    async with _worker(client, name, "one"):
        assert await first_of_all(client, name, "one") is True
        assert await first_of_all(client, name, "one") is False
        assert await _run(client, name) == "one"
        open_run = await client.start_workflow("WaitsForWord", id=f"{name}-open", task_queue=name)
        async with _worker(client, name, "two"):
            assert await first_of_all(client, name, "two") is False
            assert await _run(client, name) == "one"

            await make_current(client, name, "two")
            assert [build.id for build in await builds(client, name) if build.current] == ["two"]
            assert await _run(client, name) == "two"
            await open_run.signal("end")
            assert await asyncio.wait_for(open_run.result(), 20) == "two"

            await make_current(client, name, "one")
            assert await _run(client, name) == "one"

            await ramp(client, name, "two", 100)
            await _until(client, name, lambda found: any(known.ramping == 100 for known in found))
            assert await _run(client, name) == "two"


async def test_a_build_that_nobody_runs_is_not_released(client: Client, name: str) -> None:
    with pytest.raises(CannotRelease, match="has polled"):
        await make_current(client, name, "nobody")


def test_without_a_deployment_workers_are_not_versioned() -> None:
    assert versioned(None, "x") == {}


def _named(version: str) -> Callable[[tuple[str, ...]], str]:
    return lambda _extra: version


def test_a_build_is_named_by_the_release_else_by_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "code_version", _named("2.7.1"))
    assert build_id(("named",)) == "2.7.1"
    monkeypatch.setattr(releasing, "code_version", _named("code:abcdef"))
    assert build_id(("revision",))
