"""The bell on a real Temporal server on which no worker runs: every ring stays to be counted."""

import asyncio
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from runtime import bell as module
from runtime.bell import Bell, Ring, ring
from settings import Bell as BellSettings
from settings import Temporal

TEMPORAL = Temporal(task_queue="nobody-polls-this")


def _ring(seq: int = 1, login: str = "anna", like: Ring | None = None) -> Ring:
    subject = uuid.uuid4()
    new = Ring(subject, f"user-lifecycle:as100:{subject}", "as100", login, seq, "postProvision")
    return new if like is None else replace(like, seq=seq)


def _bell(client: Client, **changes: Any) -> Bell:
    values: dict[str, Any] = {"coalesce": 0.3, "bookkeeping_wait": 0.5}
    return Bell(client, BellSettings(**(values | changes)), TEMPORAL)


async def _heard(client: Client, r: Ring) -> list[int]:
    """The rings that a person's workflow got: 0 for its start, else the number of the delivery."""
    try:
        history = await client.get_workflow_handle(r.workflow_id).fetch_history()
    except RPCError as wrong:
        if wrong.status is not RPCStatusCode.NOT_FOUND:
            raise
        return []
    heard: list[int] = []
    for event in history.events:
        if event.HasField("workflow_execution_started_event_attributes"):
            heard.append(0)
        if event.HasField("workflow_execution_signaled_event_attributes"):
            heard.append(
                int(event.workflow_execution_signaled_event_attributes.input.payloads[0].data.decode())
            )
    return heard


async def test_the_first_is_at_once_and_a_burst_is_one_more(client: Client) -> None:
    bell, r = _bell(client), _ring()
    bell.ring(r, urgent=True)
    await asyncio.sleep(0.15)
    assert await _heard(client, r) == [0]
    for seq in range(2, 30):
        bell.ring(_ring(seq, like=r), urgent=True)
    await bell.drain(5)
    assert await _heard(client, r) == [0, 29]


async def test_a_ring_that_comes_while_one_is_under_way_is_not_lost(client: Client) -> None:
    bell, r = _bell(client, coalesce=0.0), _ring()
    bell.ring(r, urgent=True)
    await asyncio.sleep(0)
    bell.ring(_ring(2, like=r), urgent=True)
    await bell.drain(5)
    assert (await _heard(client, r))[-1] == 2


async def test_after_a_rest_it_rings_again(client: Client) -> None:
    bell, r = _bell(client, coalesce=0.0), _ring()
    for seq in (1, 2):
        bell.ring(_ring(seq, like=r), urgent=True)
        await bell.drain(5)
    assert await _heard(client, r) == [0, 2]


async def test_people_do_not_wait_for_each_other(client: Client) -> None:
    bell, people = _bell(client, coalesce=30.0), [_ring() for _ in range(5)]
    for r in people:
        bell.ring(r, urgent=True)
    await asyncio.sleep(0.5)
    assert [await _heard(client, r) for r in people] == [[0]] * 5
    assert sorted(bell.rung()) == sorted(r.subject for r in people)
    assert bell.rung() == []


async def test_who_was_rung_is_remembered_up_to_a_bound(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may be away for long, and with it who would ask."""
    monkeypatch.setattr("runtime.bell.MOST_PEOPLE", 3)
    bell, people = _bell(client, coalesce=0.0), [_ring() for _ in range(5)]
    for r in people:
        bell.ring(r, urgent=True)
        await bell.drain(5)
    assert bell.rung() == [r.subject for r in people[2:]]


async def test_bookkeeping_waits_and_rings_once(client: Client) -> None:
    bell, r = _bell(client, bookkeeping_wait=0.6), _ring()
    for seq in range(1, 10):
        bell.ring(_ring(seq, like=r), urgent=False)
    await asyncio.sleep(0.3)
    assert await _heard(client, r) == []
    await asyncio.sleep(0.6)
    assert await _heard(client, r) == [0]
    await bell.drain(5)
    assert await _heard(client, r) == [0]


async def test_urgent_work_ends_the_wait(client: Client) -> None:
    bell, r = _bell(client, bookkeeping_wait=30.0), _ring()
    bell.ring(r, urgent=False)
    await asyncio.sleep(0.05)
    bell.ring(_ring(2, like=r), urgent=True)
    await asyncio.sleep(0.2)
    assert await _heard(client, r) == [0]


async def test_draining_ends_the_wait(client: Client) -> None:
    bell, r = _bell(client, bookkeeping_wait=30.0, coalesce=0.0), _ring()
    bell.ring(r, urgent=False)
    began = time.monotonic()
    await bell.drain(5)
    assert time.monotonic() - began < 3
    assert await _heard(client, r) == [0]


async def test_temporal_down_is_missed_and_holds_nobody_up() -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    bell, people = _bell(away), [_ring() for _ in range(50)]
    began = time.monotonic()
    for r in people:
        bell.ring(r, urgent=True)
    assert time.monotonic() - began < 0.1
    await bell.drain(10)
    assert bell.missed == 50
    assert bell.rung() == []
    bell.ring(people[0], urgent=True)
    await bell.drain(10)
    assert bell.missed == 51, "who was missed is rung for again at the next delivery"


async def test_a_drain_has_an_end(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(module, "ring", never)
    bell = _bell(client)
    bell.ring(_ring(), urgent=True)
    began = time.monotonic()
    await bell.drain(0.3)
    assert 0.2 < time.monotonic() - began < 2


async def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setattr(module, "MOST_PEOPLE", 2)
    bell, people = _bell(client), [_ring() for _ in range(3)]
    for r in people:
        bell.ring(r, urgent=True)
    assert bell.missed == 1
    await bell.drain(5)
    assert [await _heard(client, r) for r in people] == [[0], [0], []]


async def test_a_closed_run_is_followed_by_a_new_one(client: Client) -> None:
    r = _ring()
    await ring(client, TEMPORAL, r)
    first = await client.get_workflow_handle(r.workflow_id).describe()
    await client.get_workflow_handle(r.workflow_id).terminate()
    await ring(client, TEMPORAL, r)
    second = await client.get_workflow_handle(r.workflow_id).describe()
    assert second.status is WorkflowExecutionStatus.RUNNING
    assert first.run_id != second.run_id


@pytest.mark.parametrize(
    "login", ["anna", "x" * 500, "ü" * 400, "\U0001f600" * 300, 'a"b\\c\u2028'], ids=ascii
)
async def test_any_login_can_be_shown(client: Client, login: str) -> None:
    r = _ring(login=login)
    await ring(client, TEMPORAL, r)
    description = await client.get_workflow_handle(r.workflow_id).describe()
    assert (await description.static_summary() or "").startswith(login[:3])


async def test_a_login_that_is_not_shown_is_nowhere(client: Client) -> None:
    r = _ring(login="very-private-login")
    await ring(client, Temporal(task_queue="nobody-polls-this", show_login=False), r)
    handle = client.get_workflow_handle(r.workflow_id)
    description = await handle.describe()
    assert (
        "very-private-login"
        not in f"{description} {description.raw_description} {await handle.fetch_history()}"
    )
    assert str(r.subject) in (await description.static_summary() or "")


async def test_bookkeeping_gives_way_to_calls_being_answered(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    """While somebody waits for an answer it is rung for one at a time, with rests; else without."""
    began: list[float] = []
    all_rung = asyncio.Event()

    async def slow(*_: Any, **__: Any) -> None:
        began.append(time.monotonic())
        if len(began) == 5:
            all_rung.set()
        await asyncio.sleep(0.02)

    async def pace(bell: Bell) -> float:
        began.clear()
        all_rung.clear()
        for _ in range(5):
            bell.ring(_ring(), urgent=False)
        await asyncio.wait_for(all_rung.wait(), 5)
        return began[-1] - began[0]

    monkeypatch.setattr(module, "ring", slow)
    calm, busy = _bell(client, bookkeeping_wait=0.0), _bell(client, bookkeeping_wait=0.0)
    busy.answering = 16
    unhurried, hindered = await pace(calm), await pace(busy)
    assert unhurried >= 4 * 0.02
    assert hindered >= 4 * 5 * 0.02
    assert hindered > 2.5 * unhurried


async def test_a_ring_that_breaks_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError("no ring")

    monkeypatch.setattr(module, "ring", broken)
    bell, people = _bell(client, bookkeeping_wait=0.0), [_ring() for _ in range(3)]
    for r in people:
        bell.ring(r, urgent=False)
    await asyncio.sleep(0.2)
    assert bell.missed == 3
