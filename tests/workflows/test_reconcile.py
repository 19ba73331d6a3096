"""The schedule on the real server: made, changed and removed as configured; its runs, and what their histories hold."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

import runtime.worker
from dev.simulate.platform import Asked, Reply, envelope
from runtime.attributes import SEARCH_ATTRIBUTES, TENANT
from runtime.schedules import keep_schedules, schedule_id, set_schedules
from runtime.worker import assemble
from settings import Settings, Store, load
from tests.commands.copied import ROOT
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.runtime.reconcile.world import World, user, world
from tests.support import Servers, rows
from tests.workflows.replaying import replay_fresh
from workflows.reconcile import Counts, Order, Reconcile, Summary


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A migrated, empty database."""
    async with database(servers, TEMPLATE) as store:
        yield store


@pytest.fixture
async def here(tmp_path: Path, store: Store, client: Client) -> AsyncGenerator[World]:
    """A tenant that is reconciled every six hours; its schedule is gone afterwards."""
    async with world(
        tmp_path, store, 'page_size = 3\nreconcile = "every 6h"', lambda _: "[sweep]\nunrung = 0.1\n"
    ) as made:
        # Other workers of this test run have their schedules on the same server.
        made.name = made.users.tenant = f"t{uuid.uuid4().hex[:10]}"
        path = tmp_path / "hookledger.toml"
        path.write_text(path.read_text().replace("tenants.as100", f"tenants.{made.name}"))
        made.settings = load(path)
        yield made
        await set_schedules(client, _off(made.settings))


def _off(settings: Settings, when: str = "off") -> Settings:
    [(name, tenant)] = settings.tenants.items()
    assert tenant.platform is not None
    changed = tenant.model_copy(update={"platform": tenant.platform.model_copy(update={"reconcile": when})})
    return settings.model_copy(update={"tenants": {name: changed}})


async def _exists(handle: ScheduleHandle) -> bool:
    try:
        await handle.describe()
    except RPCError:
        return False
    return True


async def _run_of(client: Client, handle: ScheduleHandle) -> str:
    """The workflow that a trigger started."""
    for _ in range(100):
        actions = (await handle.describe()).info.recent_actions
        if actions:
            return actions[-1].action.workflow_id  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType,reportUnknownVariableType]
        await asyncio.sleep(0.05)
    raise AssertionError("the schedule started nothing")


async def _history(client: Client, id_: str) -> Any:
    return await client.get_workflow_handle(id_).fetch_history()


async def test_a_schedule_is_made_once_changed_and_removed(here: World, client: Client) -> None:
    handle = client.get_schedule_handle(schedule_id(here.name))

    await asyncio.gather(*(set_schedules(client, here.settings) for _ in range(4)))
    made = (await handle.describe()).schedule
    assert made.spec.intervals[0].every.total_seconds() == 6 * 3600
    await handle.pause(note="an audit")

    await set_schedules(client, _off(here.settings, "30 2 * * *"))
    changed = (await handle.describe()).schedule
    assert changed.spec.intervals == []
    assert changed.spec.calendars[0].hour[0].start == 2
    assert changed.state.paused

    await set_schedules(client, _off(here.settings))
    assert not await _exists(handle)


async def test_another_installation_s_schedules_are_left_alone(here: World, client: Client) -> None:
    handle = client.get_schedule_handle(schedule_id(here.name))
    await keep_schedules(client, here.settings)
    elsewhere = _off(here.settings)
    elsewhere = elsewhere.model_copy(
        update={"temporal": elsewhere.temporal.model_copy(update={"task_queue": "another"})}
    )

    await set_schedules(client, elsewhere)
    assert await _exists(handle)

    wanted = elsewhere.tenants | here.settings.tenants
    await set_schedules(client, elsewhere.model_copy(update={"tenants": wanted}))
    action = (await handle.describe()).schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert action.task_queue == here.settings.temporal.task_queue


async def test_a_worker_makes_it_at_its_start(
    here: World, client: Client, servers: Servers, tmp_path: Path
) -> None:
    told = {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml"), "TEMPORAL_ADDRESS": servers.temporal}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "cli.py", "worker", cwd=ROOT, env=os.environ | told, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    made, log = f"schedule reconcile:{here.name} made".encode(), b""
    try:
        async with asyncio.timeout(30):
            while made not in log and (line := await process.stderr.readline()):
                log += line
        assert await _exists(client.get_schedule_handle(schedule_id(here.name)))
    finally:
        process.terminate()
        _, rest = await asyncio.wait_for(process.communicate(), 40)
        log += rest

    assert process.returncode == 0
    assert made in log
    assert b"good-token" not in log


async def test_it_fires_and_records_and_its_history_names_nobody(here: World, client: Client) -> None:
    await here.both(*(user(n) for n in range(8)))
    here.users.people.pop(user(1)["id"])
    here.users.put(user(2, department="Legal", version=2), user(20))
    await set_schedules(client, here.settings)
    handle = client.get_schedule_handle(schedule_id(here.name))

    async with assemble(here.settings, client) as parts, parts.worker:
        await handle.trigger()
        id_ = await _run_of(client, handle)
        summary = await client.get_workflow_handle_for(Reconcile.run, id_).result()
        await _settled(here, parts.sweep)

    assert id_.startswith(f"reconcile:{here.name}-")
    assert summary.clean
    assert summary.counts == Counts(pages=4, listed=8, created=1, changed=1, removed=1)
    assert {actor for _, _, actor in await here.entries()} == {"reconcile"}
    assert sorted(await _books(here)) == ["changed", "created", "left"]
    history = await _history(client, id_)
    await replay_fresh(history, "reconcile-0")
    text = json.dumps(history.to_json_dict())
    described = await client.get_workflow_handle(id_).describe()
    assert described.typed_search_attributes[TENANT] == here.name
    assert TENANT.name in SEARCH_ATTRIBUTES
    for private in ("person", "example", "Asha", "Finance", "Legal", "66aa0000", "good-token", "90000"):
        assert private not in text, private


async def _books(here: World) -> list[str]:
    found = await rows(
        here.pool, "SELECT outcome FROM entries WHERE activity IS NOT NULL AND rules_hash = 'reconcile'"
    )
    return [row["outcome"] for row in found]


async def _settled(here: World, sweep: Any) -> None:
    """The sweep rings for what reconciliation planned."""
    for _ in range(100):
        await sweep.round()
        if not await rows(here.pool, "SELECT 1 FROM work WHERE settled_at IS NULL"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("work was left unsettled")


async def test_a_refused_token_fails_the_run_in_words(here: World, client: Client) -> None:
    here.users.tokens = set()

    with pytest.raises(WorkflowFailureError) as caught:
        await _execute(here, client)

    cause = caught.value.cause
    assert isinstance(cause.__cause__, ApplicationError)
    assert cause.__cause__.type == "PlatformRefuses"
    assert "renew the secret of the API client" in cause.__cause__.message
    assert len(here.users.calls) == 1


async def test_an_interrupted_run_begins_again_and_records_nothing_twice(
    here: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker is stopped in the middle of the list, and waits for nothing; another takes over."""
    monkeypatch.setattr(runtime.worker, "GRACE", timedelta(0))
    here.users.put(*(user(n) for n in range(9)))
    reached = asyncio.Event()

    def linger(asked: Asked) -> Reply | None:
        if asked.page == 2 and not reached.is_set():
            reached.set()
            return Reply(wait=3)
        return None

    here.users.mischief = linger
    async with assemble(here.settings, client) as parts, parts.worker:
        handle = await client.start_workflow(
            Reconcile.run, Order(here.name), id=f"reconcile-{here.settings.temporal.task_queue}",
            task_queue=here.settings.temporal.task_queue,
        )  # fmt: skip
        await reached.wait()
    before = len(await here.entries())
    assert before == 6
    async with assemble(here.settings, client) as parts, parts.worker:
        summary = await asyncio.wait_for(handle.result(), 90)

    assert summary.counts.created == 3
    assert len(await here.entries()) == 9


async def test_while_one_goes_on_the_next_is_passed_over(here: World, client: Client) -> None:
    here.users.put(user(1))
    here.users.mischief = lambda asked: Reply(wait=4) if asked.page == 0 else None
    await set_schedules(client, here.settings)
    handle = client.get_schedule_handle(schedule_id(here.name))

    async with assemble(here.settings, client) as parts, parts.worker:
        await handle.trigger()
        id_ = await _run_of(client, handle)
        await handle.trigger()
        assert (await client.get_workflow_handle_for(Reconcile.run, id_).result()).clean

    assert (await handle.describe()).info.num_actions_skipped_overlap == 1


async def test_what_is_left_open_is_in_the_summary(here: World, client: Client) -> None:
    here.users.mischief = lambda asked: (
        envelope({"content": [user(0)], "totalElements": 9}) if asked.page == 0 else None
    )

    summary = await _execute(here, client)

    assert not summary.clean
    assert "nobody was called removed" in summary.notes[0]


async def test_a_tenant_that_is_not_configured_here_fails(here: World, client: Client) -> None:
    with pytest.raises(WorkflowFailureError):
        await _execute(here, client, "as300")


async def _execute(here: World, client: Client, tenant: str | None = None) -> Summary:
    queue = here.settings.temporal.task_queue
    async with assemble(here.settings, client) as parts, parts.worker:
        handle = await client.start_workflow(
            Reconcile.run, Order(tenant or here.name), id=f"reconcile-{queue}", task_queue=queue
        )
        try:
            return await handle.result()
        finally:
            assert (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING
