"""Bookkeeping in one transaction, and what a poisoned delivery does to its neighbours: nothing for long."""

import json
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from activities._books import UNKNOWN_FOR
from activities._machinery import Machinery
from activities._registry import registry
from settings import Settings
from tests.activities.desk import Desk, Piece, all_said, environment, job
from tests.activities.examples import books
from tests.support import rows
from tests.workflows.lifecycle import Lifecycle, lifecycle

INK, PAPER, TORN, MOOT = "ink", "paper", "torn", "moot"


async def _store(desk: Desk, *names: str, application: str | None = None) -> list[Piece]:
    return await desk.store(*(registry()[n] for n in names), application=application)


async def test_all_settle_together_in_order(desk: Desk) -> None:
    pieces = [p for _ in range(3) for p in await _store(desk, INK, PAPER)]
    settlements = await desk.keep_books(*pieces)
    assert [s.ref for s in settlements] == [p.ref for p in pieces]
    entries = [s.entry or 0 for s in settlements]
    assert entries == sorted(entries)
    assert {s.outcome for s in settlements} == {"written"}
    stamps = await rows(desk.pool, "SELECT xmin::text FROM work WHERE subject = $1", pieces[0].subject)
    assert len({s["xmin"] for s in stamps}) == 1
    assert await desk.effects(str(pieces[0].subject)) == 6


async def test_settings_reach_it(desk: Desk) -> None:
    [piece] = await _store(desk, PAPER)
    await desk.keep_books(piece)
    assert (await desk.entries(piece))[0]["detail"] == {"setting": "blue"}


async def test_settled_books_are_not_kept_again(desk: Desk) -> None:
    pieces = await _store(desk, INK, PAPER)
    first = await desk.keep_books(*pieces)
    assert await desk.keep_books(*pieces) == first
    assert await desk.effects(str(pieces[0].subject)) == 2


async def test_a_poisoned_one_holds_back_only_its_own_activity(desk: Desk) -> None:
    good = await _store(desk, INK, PAPER)
    poison, beside = await _store(desk, INK, PAPER, application="poison")
    later, after = await _store(desk, INK, PAPER)
    with pytest.raises(ApplicationError) as error:
        await desk.keep_books(*good, poison, beside, later, after)
    assert (error.value.type, error.value.non_retryable) == ("Batch", True)
    for piece in (*good, beside, after):
        assert await desk.outcomes(piece) == ["written"]
    assert await desk.outcomes(poison) == await desk.outcomes(later) == []
    row = await desk.work(poison)
    assert (row["state"], row["attempt"]) == ("planned", 1)
    assert row["give_up_at"] is not None
    assert books.SAID in (await desk.fault(poison) or "")
    assert await desk.fault(later) is None


async def test_while_it_is_retried_the_rest_goes_past(desk: Desk) -> None:
    [poison] = await _store(desk, INK, application="poison")
    later, past = await _store(desk, INK, PAPER)
    with pytest.raises(ApplicationError) as error:
        await desk.keep_books(poison)
    assert (error.value.type, error.value.non_retryable) == ("RuntimeError", False)
    assert books.SAID not in all_said(error.value)
    assert await desk.outcomes(past) == ["written"]
    assert await desk.outcomes(later) == []


async def test_once_mended_it_goes_on_in_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    [poison] = await _store(desk, INK, application="poison")
    [later] = await _store(desk, INK)
    with pytest.raises(ApplicationError):
        await desk.keep_books(poison)
    monkeypatch.setattr(books, "cured", True)
    await desk.keep_books(poison)
    await desk.keep_books(later)
    first, second = (await desk.entries(poison))[0], (await desk.entries(later))[0]
    assert first["id"] < second["id"]
    assert first["attempt"] == 2


async def test_it_gives_up_at_its_time_and_lets_the_others_go(desk: Desk) -> None:
    [poison] = await _store(desk, INK, application="poison")
    [later] = await _store(desk, INK)
    with pytest.raises(ApplicationError):
        await desk.keep_books(poison, later)
    await desk.change(poison, "give_up_at = now()")
    first, second = await desk.keep_books(poison, later)
    assert (first.outcome, first.failed, second.outcome) == ("failed", True, "written")
    [entry] = await desk.entries(poison)
    assert (entry["id"], entry["detail"]) == (first.entry, {"error": "RuntimeError"})
    assert books.SAID not in json.dumps(entry)
    assert books.SAID in (await desk.fault(poison) or "")


async def test_a_refusal_is_final_at_once(desk: Desk) -> None:
    [no] = await _store(desk, INK, application="refusal")
    [later] = await _store(desk, INK)
    first, second = await desk.keep_books(no, later)
    assert (first.outcome, first.failed, second.outcome) == ("refused", True, "written")


async def test_an_erased_body_ends_it(desk: Desk) -> None:
    erased, later = (await _store(desk, PAPER))[0], (await _store(desk, PAPER))[0]
    await desk.erase(erased)
    assert [s.outcome for s in await desk.keep_books(erased, later)] == ["refused", "written"]


async def test_what_the_store_refuses_is_poison_too(desk: Desk) -> None:
    torn, beside = await _store(desk, TORN, PAPER)
    with pytest.raises(ApplicationError):
        await desk.keep_books(torn, beside)
    assert await desk.outcomes(beside) == ["written"]
    assert "nowhere" in (await desk.fault(torn) or "")
    assert books.SAID not in (await desk.fault(torn) or "")


async def test_a_later_delivery_cancels(desk: Desk) -> None:
    [piece] = await _store(desk, MOOT)
    [other] = await _store(desk, PAPER)
    await desk.store(hook="postUpdateUser")
    assert [s.outcome for s in await desk.keep_books(piece, other)] == ["cancelled", "written"]


async def test_a_retired_name_ends_and_an_unknown_one_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    retired, unknown, beside = await _store(desk, INK, TORN, PAPER)
    monkeypatch.delenv("HOOKLEDGER_ACTIVITIES")
    registry.cache_clear()
    await desk.retire("ink", "paper")
    with pytest.raises(ApplicationError) as error:
        await desk.keep_books(retired, unknown, beside)
    assert error.value.type == "Batch"
    assert await desk.outcomes(retired) == await desk.outcomes(beside) == ["retired"]
    with pytest.raises(ApplicationError) as error:
        await desk.keep_books(unknown)
    assert (error.value.type, error.value.next_retry_delay) == ("Unknown", timedelta(seconds=30))
    assert "provisioning" not in all_said(error.value)
    machinery = Machinery(desk.wiring)
    env = environment(since=UNKNOWN_FOR + timedelta(seconds=1))
    [settlement] = await env.run(machinery.bookkeeping, job(unknown))
    assert (settlement.outcome, settlement.failed) == ("failed", True)


async def test_in_a_lifecycle_poison_fails_and_the_rest_is_settled(
    settings: Settings, client: Client
) -> None:
    async with lifecycle(settings, client) as person:
        await person.store("paper", "ink")
        await person.store("torn", "paper")
        await person.store("torn", "ink", "paper")
        await person.ring()
        assert await person.ended() is WorkflowExecutionStatus.FAILED
        assert await person.open_work() == 0
        found = await person.outcomes()
        assert [(s, a) for s, a, o in found if o == "failed"] == [(2, "torn"), (3, "torn")]
        assert len([1 for _, _, o in found if o == "written"]) == 5
        await _says_nothing(person)


async def _says_nothing(person: Lifecycle) -> None:
    history = json.dumps((await person.handle.fetch_history()).to_json_dict())
    assert "nowhere" not in history
    assert books.SAID not in history
