"""bind at the real store: what it settles, what it commits together, and what an author's code is given."""

import asyncio
import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity, seconds
from activities._bind import without
from ledger.sweep import tidy
from runtime.vault import Folder, Vault
from tests.activities.desk import Desk, effect, writer


async def test_outcome_entry_and_writes_come_together(desk: Desk) -> None:
    [piece] = await desk.store(writer)
    [settlement] = await desk.attempt(writer, piece)
    [entry] = await desk.entries(piece)
    assert (settlement.outcome, settlement.entry, settlement.failed) == ("wrote", entry["id"], False)
    assert (entry["outcome"], entry["attempt"], entry["detail"]) == ("wrote", 1, {"attempt": 1})
    assert (await desk.work(piece))["state"] == "settled"
    assert await desk.effects(piece.ref.delivery) == 1


async def test_settled_work_returns_its_outcome_without_running(desk: Desk) -> None:
    [piece] = await desk.store(writer)
    first = await desk.attempt(writer, piece)
    assert await desk.attempt(writer, piece) == first
    assert await desk.effects(piece.ref.delivery) == 1
    assert await desk.outcomes(piece) == ["wrote"]


async def test_an_earlier_attempts_failure_is_named_again(desk: Desk) -> None:
    """The worker may have died between the commit and its report: the run must still end as failed."""

    @activity(on=Hook.POST_PROVISION)
    async def no(event: Event, tools: Tools) -> None:
        raise Refused("no")

    [piece] = await desk.store(no)
    with pytest.raises(ApplicationError):
        await desk.attempt(no, piece)
    [settlement] = await desk.attempt(no, piece)
    [entry] = await desk.entries(piece)
    assert (settlement.outcome, settlement.entry, settlement.failed) == ("refused", entry["id"], True)


async def test_writes_that_fail_are_the_activity_s_own_failure(desk: Desk) -> None:
    """Tried again at once, with a fault that tells why."""

    @activity(on=Hook.POST_PROVISION)
    async def half(event: Event, tools: Tools) -> None:
        effect(tools, event.delivery)
        tools.db.write("INSERT INTO nowhere VALUES (1)")

    [piece] = await desk.store(half)
    with pytest.raises(ApplicationError, match="will be tried again") as told:
        await desk.attempt(half, piece)
    assert told.value.type == "ProgrammingError"
    assert await desk.effects(piece.ref.delivery) == 0
    assert await desk.outcomes(piece) == []
    row = await desk.work(piece)
    assert (row["state"], row["lease_until"]) == ("planned", None)
    assert "nowhere" in (await desk.fault(piece) or "")


async def test_reads_see_the_store(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION)
    async def reads(event: Event, tools: Tools) -> Outcome:
        found = await tools.db.read("SELECT seq FROM deliveries WHERE id::text = :id", id=event.delivery)
        return Outcome("read", {"seq": found[0]["seq"]})

    [piece] = await desk.store(reads)
    await desk.attempt(reads, piece)
    assert (await desk.entries(piece))[0]["detail"] == {"seq": 1}


async def test_a_later_delivery_cancels(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION, cancel_on=[Hook.POST_UPDATE_USER])
    async def reminder(event: Event, tools: Tools) -> None:
        raise AssertionError("it must not run")

    [piece] = await desk.store(reminder)
    await desk.store(hook="postUpdateUser")
    [settlement] = await desk.attempt(reminder, piece)
    assert settlement.outcome == "cancelled"
    assert await desk.outcomes(piece) == ["cancelled"]


async def test_an_earlier_or_another_delivery_does_not(desk: Desk) -> None:
    @activity(on=Hook.POST_PROVISION, cancel_on=[Hook.POST_UPDATE_USER])
    async def reminder(event: Event, tools: Tools) -> None:
        """Runs."""

    await desk.store(hook="postUpdateUser")
    [piece] = await desk.store(reminder)
    await desk.store(hook="changePassword")
    assert [s.outcome for s in await desk.attempt(reminder, piece)] == ["done"]


@pytest.mark.parametrize("declared", [True, False])
async def test_only_who_declared_it_gets_the_secret(desk: Desk, declared: bool) -> None:
    told: list[Event] = []

    @activity(on=Hook.CHANGE_PASSWORD, secret=declared)
    async def sync(event: Event, tools: Tools) -> None:
        told.append(event)

    number = uuid.uuid4()
    [piece] = await desk.store(
        sync,
        hook="changePassword",
        id=number,
        sealed=desk.vault.seal(str(number), "hunter2-fake"),
        sealed_for=timedelta(hours=1),
    )
    await desk.attempt(sync, piece)
    assert told[0].secret == ("hunter2-fake" if declared else None)
    assert "hunter2-fake" not in json.dumps(told[0].request)


async def test_a_secret_is_gone_after_its_time(desk: Desk) -> None:
    told: list[Event] = []

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def sync(event: Event, tools: Tools) -> None:
        told.append(event)

    number = uuid.uuid4()
    sealed = desk.vault.seal(str(number), "hunter2-fake")
    [piece] = await desk.store(sync, hook="changePassword", id=number, sealed=sealed)
    await desk.attempt(sync, piece)
    assert told[0].secret is None


def _sealing(desk: Desk, number: uuid.UUID) -> dict[str, Any]:
    """What a delivery of a password is stored with."""
    sealed = desk.vault.seal(str(number), "hunter2-fake")
    return {
        "hook": "changePassword",
        "id": number,
        "request": {"passwordText": "[cut]"},
        "sealed": sealed,
        "sealed_for": timedelta(hours=1),
    }


async def _kept(desk: Desk, number: uuid.UUID) -> bool:
    return await desk.pool.fetchval("SELECT count(*) FROM vault WHERE delivery = $1", number) == 1


async def test_a_secret_goes_when_the_last_that_needs_it_has_gone_well(desk: Desk) -> None:
    told: list[str | None] = []

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def first(event: Event, tools: Tools) -> None:
        told.append(event.secret)

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def second(event: Event, tools: Tools) -> None:
        told.append(event.secret)

    @activity(on=Hook.CHANGE_PASSWORD)
    async def needless(event: Event, tools: Tools) -> None:
        """Is still open in the end."""

    number = uuid.uuid4()
    one, two, _ = await desk.store(first, second, needless, **_sealing(desk, number))
    await desk.attempt(first, one)
    assert await _kept(desk, number)
    await desk.attempt(second, two)
    assert not await _kept(desk, number)
    assert told == ["hunter2-fake"] * 2


async def test_of_failed_work_the_secret_stays_for_a_redrive(desk: Desk) -> None:
    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def no(event: Event, tools: Tools) -> None:
        raise Refused("no")

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def yes(event: Event, tools: Tools) -> None:
        """Goes well, and does not take the other's secret away."""

    number = uuid.uuid4()
    one, two = await desk.store(no, yes, **_sealing(desk, number))
    with pytest.raises(ApplicationError):
        await desk.attempt(no, one)
    await desk.attempt(yes, two)
    assert await _kept(desk, number)
    await desk.change(one, "outcome = 'skipped'")
    async with desk.wiring.engine.begin() as connection:
        await tidy(connection)
    assert not await _kept(desk, number)


@pytest.mark.parametrize("how", ["key destroyed", "time over", "never kept"])
async def test_work_whose_secret_is_gone_ends_so(desk: Desk, how: str) -> None:
    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def sync(event: Event, tools: Tools) -> None:
        raise AssertionError("it must not run")

    number = uuid.uuid4()
    stored = _sealing(desk, number)
    if how == "time over":
        stored["sealed_for"] = timedelta(seconds=-1)
    if how == "never kept":
        stored["sealed"] = None
    [piece] = await desk.store(sync, **stored)
    if how == "key destroyed":
        for epoch in desk.keys.epochs():
            assert desk.keys.destroy(epoch, "a leak", "test")
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(sync, piece)
    assert error.value.non_retryable
    [entry] = await desk.entries(piece)
    assert (entry["outcome"], entry["detail"]) == ("secret_gone", {"error": "SecretGone"})
    assert (await desk.attempt(sync, piece))[0].failed


async def test_a_secret_whose_key_is_not_seen_waits_for_who_sees_it(desk: Desk, tmp_path: Path) -> None:
    told: list[str | None] = []

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def sync(event: Event, tools: Tools) -> None:
        told.append(event.secret)

    number, good = uuid.uuid4(), desk.wiring
    [piece] = await desk.store(sync, **_sealing(desk, number))
    without_the_mount = Vault(Folder(tmp_path / "vault", [b"w" * 32]), b"k" * 32)
    desk.wiring = replace(good, unseal=without_the_mount.unseal)
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(sync, piece)
    assert (error.value.type, error.value.non_retryable) == ("SecretOutOfReach", False)
    assert "give this worker the api's [vault] folder and keys" in (await desk.fault(piece) or "")
    assert await desk.outcomes(piece) == []
    assert await _kept(desk, number)
    desk.wiring = good
    await desk.attempt(sync, piece)
    assert told == ["hunter2-fake"]


async def test_a_disk_that_hangs_is_one_attempts_trouble(desk: Desk) -> None:
    @activity(on=Hook.CHANGE_PASSWORD, secret=True, timeout=seconds(1))
    async def sync(event: Event, tools: Tools) -> None:
        raise AssertionError("it must not run")

    number, answers = uuid.uuid4(), threading.Event()

    def hanging(_delivery: str, _sealed: bytes) -> None:
        assert answers.wait(30)

    [piece] = await desk.store(sync, **_sealing(desk, number))
    desk.wiring = replace(desk.wiring, unseal=hanging)
    try:
        with pytest.raises(ApplicationError) as error:
            await asyncio.wait_for(desk.attempt(sync, piece), 10)
    finally:
        answers.set()
    assert (error.value.type, error.value.non_retryable) == ("TimeoutError", False)
    assert await _kept(desk, number)


def _takes_it_for_gone(_delivery: str, _sealed: bytes) -> None:
    """As where a clock is ahead by days."""


async def test_a_secret_that_an_attempt_took_for_gone_stays_until_its_time_is_over(desk: Desk) -> None:
    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def sync(event: Event, tools: Tools) -> None:
        raise AssertionError("it must not run")

    number = uuid.uuid4()
    [piece] = await desk.store(sync, **_sealing(desk, number))
    desk.wiring = replace(desk.wiring, unseal=_takes_it_for_gone)
    with pytest.raises(ApplicationError):
        await desk.attempt(sync, piece)
    assert await desk.outcomes(piece) == ["secret_gone"]
    assert await _kept(desk, number)
    await desk.pool.execute("UPDATE vault SET expires_at = now() WHERE delivery = $1", number)
    async with desk.wiring.engine.begin() as connection:
        await tidy(connection)
    assert not await _kept(desk, number)


async def test_an_erased_body_is_refused(desk: Desk) -> None:
    [piece] = await desk.store(writer)
    await desk.erase(piece)
    with pytest.raises(ApplicationError) as error:
        await desk.attempt(writer, piece)
    assert error.value.non_retryable
    assert await desk.outcomes(piece) == ["refused"]


async def test_the_key_is_the_same_for_each_attempt_and_no_other_work(desk: Desk) -> None:
    keys: list[str] = []

    @activity(on=Hook.POST_PROVISION)
    async def keyed(event: Event, tools: Tools) -> None:
        keys.append(tools.key)
        if tools.attempt == 1:
            raise Unavailable

    [one] = await desk.store(keyed)
    [two] = await desk.store(keyed)
    for piece in (one, two):
        with pytest.raises(ApplicationError):
            await desk.attempt(keyed, piece)
        await desk.attempt(keyed, piece)
    assert keys == [f"{one.ref.delivery}:keyed"] * 2 + [f"{two.ref.delivery}:keyed"] * 2


async def test_what_is_told_of_a_delivery(desk: Desk) -> None:
    told: list[Event] = []

    @activity(on=Hook.POST_PROVISION)
    async def listens(event: Event, tools: Tools) -> None:
        told.append(event)

    request = {
        "user": {"login": desk.login, "odd": [1, {"a": None}]},
        "applicationId": "hr",
        "isSuccess": True,
    }
    [piece] = await desk.store(
        listens, request=request, application="hr", actor="user:9", acting_for="actor:1"
    )
    await desk.attempt(listens, piece)
    [event] = told
    assert (event.delivery, event.hook, event.seq, event.tenant) == (
        piece.ref.delivery,
        "postProvision",
        1,
        "as100",
    )
    assert dict(event.request) == request
    assert (event.actor, event.acting_for, event.application, event.login) == (
        "user:9",
        "actor:1",
        "hr",
        desk.login,
    )
    assert event.subject == str(piece.subject)


def _address(secret: str) -> None:
    asked = httpx.Request("POST", "https://desk.example/set", params={"password": secret})
    httpx.Response(404, request=asked).raise_for_status()


def _key(secret: str) -> None:
    known: dict[str, str] = {}
    known.pop(secret)


def _body(secret: str) -> None:
    raise ValueError(json.dumps({"answer": json.dumps({"password": secret})}))


@pytest.mark.parametrize("blurt", [_address, _key, _body])
async def test_an_error_is_kept_without_the_secret_however_it_is_spelt(
    desk: Desk, blurt: Callable[[str], None]
) -> None:
    secret, number = 'P@ss w"rd\\1é', uuid.uuid4()

    @activity(on=Hook.CHANGE_PASSWORD, secret=True)
    async def sync(event: Event, tools: Tools) -> Outcome:
        if tools.attempt == 1:
            blurt(event.secret or "")
        return Outcome("done", {"asked": f"https://desk.example/?p={quote(event.secret or '')}"})

    stored = _sealing(desk, number)
    stored["sealed"] = desk.vault.seal(str(number), secret)
    [piece] = await desk.store(sync, **stored)
    with pytest.raises(ApplicationError):
        await desk.attempt(sync, piece)
    fault = await desk.fault(piece) or ""
    assert "[cut]" in fault
    assert not {"ss", "rd"} & set(re.findall("[a-z]+", fault.lower()))
    await desk.attempt(sync, piece)
    [entry] = await desk.entries(piece)
    assert entry["detail"] == {"asked": "https://desk.example/?p=[cut]"}


def test_what_an_author_tells_is_without_the_secrets_that_they_were_told() -> None:
    told = {"words": "the password hunter22 is short", "hunter22": ["hunter22", 5, {"deep": "a hunter22 b"}]}
    cleaned = without(["hunter22"], told)
    assert "hunter22" not in str(cleaned)
    assert cleaned == {"words": "the password [cut] is short", "[cut]": ["[cut]", 5, {"deep": "a [cut] b"}]}
    assert without([], told) is told
