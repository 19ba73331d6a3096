"""Names that no file has: retired at once, or awaited during a rolling deploy; and the end that bind could not see."""

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError

from activities import Activity, Event, Hook, Tools, activity
from activities._books import UNKNOWN_FOR
from activities._machinery import Machinery
from activities._registry import registry
from ledger.plan import Settlement
from ledger.receive import Planned, plan_text, receive
from ledger.releases import is_retired, register
from ledger.work import claim
from runtime.version import code_version
from settings import Settings
from tests.activities.desk import Desk, Piece, all_said, environment, job
from tests.support import delivery
from tests.workflows.lifecycle import Lifecycle, lifecycle


def _nowhere(name: str) -> Activity:
    """An activity that no file has."""

    async def function(event: Event, tools: Tools) -> None:
        raise AssertionError("no file has it")

    function.__name__ = name
    return activity(on=Hook.POST_PROVISION)(function)


async def _lost(desk: Desk, piece: Piece, since: timedelta = timedelta(0)) -> list[Settlement]:
    machinery = Machinery(desk.wiring)
    argument = RawValue(PayloadConverter.default.to_payload(job(piece)))
    return await environment(piece.ref.activity, since).run(machinery.lost, [argument])


async def test_a_retired_name_ends_at_once(desk: Desk) -> None:
    [piece] = await desk.store(_nowhere("gone"))
    await desk.retire("gone")
    [settlement] = await _lost(desk, piece)
    assert (settlement.outcome, settlement.failed) == ("retired", False)
    assert await desk.outcomes(piece) == ["retired"]


async def test_an_unknown_name_waits_and_tells_nothing(desk: Desk) -> None:
    [piece] = await desk.store(_nowhere("coming"))
    for since in (timedelta(0), UNKNOWN_FOR - timedelta(minutes=1)):
        with pytest.raises(ApplicationError) as error:
            await _lost(desk, piece, since=since)
        assert (error.value.type, error.value.non_retryable) == ("Unknown", False)
        assert error.value.next_retry_delay == timedelta(seconds=30)
        assert not any(name in all_said(error.value) for name in [*registry(), "gone"])
    assert (await desk.work(piece))["state"] == "planned"


async def test_it_does_not_wait_for_ever(desk: Desk) -> None:
    [piece] = await desk.store(_nowhere("coming"))
    [settlement] = await _lost(desk, piece, since=UNKNOWN_FOR + timedelta(seconds=1))
    assert (settlement.outcome, settlement.failed) == ("failed", True)
    assert (await desk.entries(piece))[0]["detail"] == {"error": "no such activity"}


async def test_what_bind_could_not_see(desk: Desk, engine: AsyncEngine) -> None:
    [piece] = await desk.store(_nowhere("dies"))
    async with engine.begin() as connection:
        await claim(connection, [piece.ref], 30)
    machinery = Machinery(desk.wiring)
    [settlement] = await environment().run(machinery.settle, job(piece), "timed out", False)
    [entry] = await desk.entries(piece)
    assert (settlement.outcome, settlement.entry, settlement.failed) == ("failed", entry["id"], True)
    assert entry["detail"] == {"error": "timed out", "effect": "may have happened"}
    assert entry["attempt"] == 1
    [again] = await environment().run(machinery.settle, job(piece), "timed out", False)
    assert again.entry is None
    assert await desk.outcomes(piece) == ["failed"]


async def test_which_names_are_retired(engine: AsyncEngine) -> None:
    """Only what an earlier release had; a name that a later one brought is still to come for the older."""
    tag = uuid.uuid4().hex[:8]
    old, new, dropped, brought = f"v1-{tag}", f"v2-{tag}", f"dropped_{tag}", f"brought_{tag}"

    async def registered(version: str, *names: str) -> set[str]:
        async with engine.begin() as connection:
            await register(connection, version, names)
            return {
                n for n in (dropped, brought) if n not in names and await is_retired(connection, version, n)
            }

    assert await registered(old, "change", dropped) == set()
    assert await registered(new, "change", brought) == {dropped}
    assert await registered(old, "change", dropped) == set()
    assert await registered(new, "change", brought) == {dropped}


async def test_a_name_that_a_newer_release_brings_back_waits_for_it(desk: Desk) -> None:
    """Else an older worker would bury its work while both releases run."""
    [piece] = await desk.store(_nowhere("back"))
    await desk.retire("back")
    async with desk.wiring.engine.begin() as connection:
        await register(connection, f"newer-{desk.login}", ["back"])
    with pytest.raises(ApplicationError) as error:
        await _lost(desk, piece)
    assert error.value.type == "Unknown"


async def test_through_a_worker(
    settings: Settings, client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = uuid.uuid4().hex[:8]
    gone, coming = _nowhere(f"gone_{tag}"), _nowhere(f"coming_{tag}")
    async with engine.begin() as connection:
        await register(connection, f"older-{tag}", [gone.name])
        await register(connection, f"running-{tag}", [])
    monkeypatch.setenv("HOOKLEDGER_VERSION", f"running-{tag}")
    code_version.cache_clear()
    try:
        async with lifecycle(settings, client) as person:
            async with engine.begin() as connection:
                await register(connection, f"newer-{tag}", [coming.name])
            await _end_and_wait(person, gone, coming)
    finally:
        monkeypatch.undo()
        code_version.cache_clear()


async def _end_and_wait(person: Lifecycle, gone: Activity, coming: Activity) -> None:
    work = [Planned(a.name, a.lane, plan_text(a.plan), a.delay, waits=False) for a in (gone, coming)]
    person.receipts.append(await receive(person.pool, delivery(person.login, work=work)))
    await person.ring()
    await person.until(person.outcomes)
    assert await person.outcomes() == [(1, gone.name, "retired")]

    async def one_pending() -> Sequence[PendingActivityInfo] | None:
        """The entry is there before Temporal has heard that its attempt is over: until then, both are pending."""
        pending = (await person.handle.describe()).raw_description.pending_activities
        return pending if len(pending) == 1 else None

    [pending] = await person.until(one_pending)
    assert (await person.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert pending.activity_type.name == coming.name
    assert pending.last_failure.application_failure_info.type == "Unknown"
    history = json.dumps((await person.handle.fetch_history()).to_json_dict()) + str(pending)
    assert "provisioning" not in history
    await person.handle.terminate("the test is over")
