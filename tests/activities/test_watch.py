"""Silent gaps on the real store: what is one, what is none, what ends it, and what it does to holds and work."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from ledger.receive import receive
from tests.activities.watching import ARCHIVED, LEFT, SHORT, House, waiting, windows
from tests.support import rows

HR, CRM = "hr", "crm"


# ------------------------------------------------------------------------------------------------ what is a gap


@pytest.mark.parametrize(
    ("hooks", "gap"),
    [
        (["validateUser"], "validateUser"),
        (["preCreateUser"], "preCreateUser"),
        (["validateUser", "preCreateUser"], "preCreateUser"),
        (["validateUpdateUser", "preUpdateUser"], "preUpdateUser"),
        (["validateUser", "validateUser"], "validateUser"),
        (["validateUser", "preCreateUser", "validateUser", "preCreateUser"], "preCreateUser"),
        (["preProvision"], "preProvision"),
        (["preProvision", "preProvision"], "preProvision"),
    ],
    ids=str,
)
async def test_silence_after_a_chain_is_one_gap_at_its_last_intention(
    house: House, hooks: list[str], gap: str
) -> None:
    last = [await house.send("asha", hook) for hook in hooks][-1]
    seen = await house.round()
    await house.round()

    assert await house.gaps() == [(gap, None, None)]
    assert await house.entries() == [(gap, None, "unconfirmed")]
    assert [(t.open, t.opened) for t in seen.tenants] == [(1, 1)]
    entry = await house.entry("unconfirmed")
    assert entry["seq"] == last.seq
    assert entry["detail"]["window"] == SHORT


@pytest.mark.parametrize(
    "hooks",
    [
        ["validateUser", "preCreateUser", "postCreateUser"],
        ["validateUser", "postCreateUser"],
        ["validateUpdateUser", "preUpdateUser", "postUpdateUser"],
        ["preCreateUser", "preCreateUser", "postCreateUser"],
        ["preProvision", "policyMap", "postProvision"],
        ["postCreateUser", "policyMap", "runDeprovision", "changePassword", "test"],
    ],
    ids=str,
)
async def test_what_was_confirmed_or_expects_nothing_is_none(house: House, hooks: list[str]) -> None:
    for hook in hooks:
        await house.send("asha", hook)
    await house.round()
    assert await house.gaps() == []
    assert await house.entries() == []


async def test_a_refused_validate_is_none_and_answers_the_one_before_it(house: House) -> None:
    await house.send("asha", "validateUser")
    await house.send("asha", "validateUser", verdict="refused", work=[waiting()])
    await house.round()
    assert await house.gaps() == []
    assert await house.work() == [("validateUser", "settled", "unconfirmed")]
    assert await house.entries() == [("validateUser", "later", "unconfirmed")]


async def test_a_refused_validate_does_not_excuse_a_pre_before_it(house: House) -> None:
    await house.send("asha", "preUpdateUser")
    await house.send("asha", "validateUpdateUser", verdict="refused")
    await house.round()
    assert await house.gaps() == [("preUpdateUser", None, None)]


async def test_a_new_validate_does_not_hide_that_a_pre_stayed_silent(house: House) -> None:
    """Two operations, two gaps: the second was not gone on with, the first was and never ended."""
    await house.send("asha", "preUpdateUser")
    await house.send("asha", "validateUpdateUser")
    await house.round()
    assert await house.gaps() == [("preUpdateUser", None, None), ("validateUpdateUser", None, None)]


async def test_a_fact_before_the_intention_does_not_confirm_it(house: House) -> None:
    await house.send("asha", "postUpdateUser")
    await house.send("asha", "preUpdateUser")
    await house.round()
    assert await house.gaps() == [("preUpdateUser", None, None)]


async def test_each_application_has_its_own(house: House) -> None:
    for application in (HR, CRM):
        await house.send("asha", "preProvision", application=application)
    await house.send("asha", "postProvision", application=CRM)
    await house.round()
    assert await house.gaps() == [("preProvision", HR, None)]
    await house.send("asha", "postProvision", application=CRM)
    await house.round()
    assert await house.gaps() == [("preProvision", HR, None)], "another application's fact says nothing of it"
    await house.send("asha", "postProvision", application=HR)
    await house.round()
    assert await house.gaps() == [("preProvision", HR, "confirmed late")]


async def test_windows_are_per_hook(house: House) -> None:
    house.windows = windows(preProvision=3600)
    await house.send("asha", "preCreateUser")
    await house.send("asha", "preProvision", application=HR)
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None)]
    house.windows = windows()
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None), ("preProvision", HR, None)], (
        "shortened later"
    )
    house.windows = windows(preProvision=3600)
    await house.round()
    assert len(await house.gaps()) == 2, "and what was found stays found"


async def test_tenants_are_apart(house: House, pool: Pool, engine: AsyncEngine) -> None:
    other = House(pool, engine, house.like)
    await house.send("asha", "preCreateUser")
    await other.send("asha", "preCreateUser")
    await other.send("asha", "postCreateUser")
    await house.round()
    await other.round()
    assert await house.gaps() == [("preCreateUser", None, None)]
    assert await other.gaps() == []
    await other.send("asha", "postCreateUser")
    await other.round()
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None)], "a namesake's fact at another tenant"


# ------------------------------------------------------------------------------------------------ what ends a gap


async def test_a_late_fact_closes_it_and_says_so(house: House) -> None:
    await house.send("asha", "validateUser")
    await house.send("asha", "preCreateUser")
    await house.round()
    fact = house.says("asha", "postCreateUser")
    await receive(house.pool, fact)
    seen = await house.round()
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, "confirmed late")]
    assert await house.entries() == [
        ("preCreateUser", None, "unconfirmed"),
        ("preCreateUser", None, "confirmed late"),
    ]
    assert [(t.open, t.closed) for t in seen.tenants] == [(0, 1)]
    assert (await house.entry("confirmed late"))["detail"]["by"] == str(fact.id)


async def test_a_chain_that_goes_on_takes_the_gap_with_it(house: House) -> None:
    house.windows = windows(preCreateUser=3600)
    await house.send("asha", "validateUser")
    await house.round()
    await house.send("asha", "preCreateUser")
    await house.round()
    assert await house.gaps() == [("validateUser", None, "taken up")]
    house.windows = windows()
    await house.round()
    assert await house.gaps() == [("validateUser", None, "taken up"), ("preCreateUser", None, None)]


async def test_both_at_once_is_a_late_fact(house: House) -> None:
    await house.send("asha", "validateUser")
    await house.round()
    await house.send("asha", "preCreateUser")
    await house.send("asha", "postCreateUser")
    await house.round()
    assert await house.gaps() == [("validateUser", None, "confirmed late")]


async def test_archiving_ends_the_wait_for_a_creation_but_not_for_an_application(house: House) -> None:
    house.windows = windows(preProvision=SHORT, validateUser=3600)
    await house.send("asha", "validateUser", work=[waiting()])
    await house.send("asha", "preProvision", application=HR)
    await house.send("bina", "preCreateUser")
    await house.round()
    for login in ("asha", "bina"):
        await house.send(login, "postUpdateUser", identity=ARCHIVED)
    house.windows = windows()
    await house.round()
    assert await house.gaps() == [
        ("preProvision", HR, None),
        ("preCreateUser", None, "no longer expected"),
    ]
    assert await house.work() == [("validateUser", "settled", "unconfirmed")]


async def test_a_person_who_is_only_changed_is_still_awaited(house: House) -> None:
    await house.send("asha", "preCreateUser")
    await house.round()
    await house.send("asha", "postUpdateUser")
    await house.round()
    assert await house.gaps() == [("preCreateUser", None, None)], "the fact of the creation is still missing"


@pytest.mark.parametrize("late", [False, True])
async def test_somebody_who_comes_back_is_found_under_the_new_subject(house: House, late: bool) -> None:
    await house.send("asha", "postCreateUser")
    await house.send("asha", "postUpdateUser", identity=LEFT)
    before = await house.send("asha", "preCreateUser", work=[waiting()])
    if late:
        await house.round()
        assert await house.gaps() == [("preCreateUser", None, None)]
    after = await house.send("asha", "postCreateUser")
    assert before.subject != after.subject
    await house.round()
    assert await house.gaps() == ([("preCreateUser", None, "confirmed late")] if late else [])
    assert await house.work() == [("preCreateUser", "planned", None)]


# ------------------------------------------------------------------------------------------------ holds and work


async def test_holds_are_freed_but_not_those_of_a_later_hook(house: House) -> None:
    house.windows = windows(validateUser=3600, validateUpdateUser=3600)
    mail, phone = ("email", f"{uuid.uuid4().hex}@x"), ("mobile", uuid.uuid4().hex)
    await house.send("asha", "validateUser", values=[mail])
    asha = await house.send("asha", "preCreateUser", values=[mail])
    await house.send("asha", "validateUpdateUser", values=[phone])
    other = await house.send("bina", "validateUser", values=[("email", f"{uuid.uuid4().hex}@x")])
    await house.round()
    assert await house.held(asha.subject) == [phone[1]]
    assert len(await house.held(other.subject)) == 1
    assert (await house.send("chitra", "validateUser", values=[mail])).verdict == "passed"


async def test_a_hold_that_is_just_being_held_again_is_left_alone(house: House, engine: AsyncEngine) -> None:
    """Waiting for it could be waiting for each other: receive() waits for rows that a round has freed."""
    value = ("email", f"{uuid.uuid4().hex}@x")
    asha = await house.send("asha", "preCreateUser", values=[value])
    await asyncio.sleep(SHORT * 1.2)
    async with engine.connect() as busy:
        await busy.execute(text("SELECT 1 FROM holds WHERE value = :value FOR UPDATE"), {"value": value[1]})
        await asyncio.wait_for(house.round(0), 10)
    assert await house.gaps() == [("preCreateUser", None, None)]
    assert await house.held(asha.subject) == [value[1]]


async def test_work_of_the_whole_chain_is_dropped_and_a_late_fact_revives_it(house: House) -> None:
    await house.send("asha", "validateUser", work=[waiting()])
    await house.send("asha", "preCreateUser", work=[waiting()])
    await house.send("asha", "preProvision", application=HR, work=[waiting()])
    house.windows = windows(preProvision=3600)
    await house.round()
    assert await house.work() == [
        ("preCreateUser", "settled", "unconfirmed"),
        ("preProvision", "waiting", None),
        ("validateUser", "settled", "unconfirmed"),
    ]
    assert sorted(await house.entries(), key=str) == [
        ("preCreateUser", "later", "unconfirmed"),
        ("preCreateUser", None, "unconfirmed"),
        ("validateUser", "later", "unconfirmed"),
    ]
    await house.send("asha", "postCreateUser")
    await house.round()
    assert [state for hook, state, _ in await house.work() if hook != "preProvision"] == ["planned"] * 2
    assert await house.gaps() == [("preCreateUser", None, "confirmed late")]


async def test_an_activity_s_own_window_may_be_shorter(house: House) -> None:
    house.windows = windows(preCreateUser=3600)
    short, long = waiting("short", timedelta(0)), waiting("long", timedelta(days=30))
    await house.send("asha", "preCreateUser", work=[short, long])
    await house.round()
    assert await house.gaps() == []
    assert await house.entries() == [("preCreateUser", "short", "unconfirmed")]
    house.windows = windows()
    await house.round()
    assert await house.work() == [("preCreateUser", "settled", "unconfirmed")] * 2, "and is never longer"
    assert await house.entries() == [
        ("preCreateUser", "short", "unconfirmed"),
        ("preCreateUser", None, "unconfirmed"),
        ("preCreateUser", "long", "unconfirmed"),
    ]


# ------------------------------------------------------------------------------------------------ what is written


async def test_what_is_written_names_nobody(house: House) -> None:
    await house.send("asha.secretname", "preCreateUser")
    await house.round()
    for table in ("gaps", "watched", "entries"):
        found = await rows(house.pool, f"SELECT * FROM {table} WHERE tenant = $1", house.tenant)
        assert "secretname" not in str(found)
