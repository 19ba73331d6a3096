"""What is found and recorded: each difference once, and nothing that is none."""

import asyncio
from datetime import timedelta

import pytest

from dev.simulate.platform import LIST, Shape, envelope
from ledger.plan import Plan
from ledger.receive import Planned, plan_text, receive
from runtime.reconcile.tally import Progress
from tests.runtime.reconcile.world import World, user
from tests.support import delivery, rows


async def test_those_who_agree_are_no_difference(here: World) -> None:
    await here.both(*(user(n) for n in range(8)))

    summary = await here.reconcile()

    assert (summary.clean, summary.notes) == (True, [])
    assert (summary.counts.listed, summary.counts.pages) == (8, 4)
    assert await here.entries() == []


@pytest.mark.parametrize("shape", ["spring", "own"])
async def test_each_difference_is_recorded_once(here: World, shape: Shape) -> None:
    here.users.shape = shape
    await here.both(*(user(n) for n in range(7)))
    here.users.put(user(8))
    here.users.put(user(2, department="Legal", version=2))
    gone = here.users.people.pop(user(3)["id"])
    here.users.put(user(4, status="DELETE", version=2))

    first = await here.reconcile()
    found = {(d.difference, d.platform_id, d.attributes, d.evidence) for d in here.found}
    again = await here.reconcile()

    assert found == {
        ("missed create", user(8)["id"], (), "own record"),
        ("missed change", user(2)["id"], ("department",), "own record"),
        ("missed removal", gone["id"], (), "no record (404)"),
        ("missed removal", user(4)["id"], (), "own record: status"),
    }
    assert first.clean
    assert again.clean
    assert here.found == []
    assert sorted(await here.entries()) == [
        ("postCreateUser", "missed create", "reconcile"),
        ("postUpdateUser", "missed change", "reconcile"),
        ("postUpdateUser", "missed removal", "reconcile"),
        ("postUpdateUser", "missed removal", "reconcile"),
    ]
    assert (await here.known("person2.example"))["user"]["department"] == "Legal"
    assert (await here.known("person3.example"))["left"]
    assert (await here.known("person4.example"))["left"]


async def test_a_change_keeps_what_the_platform_does_not_show(here: World) -> None:
    told = user(1) | {"provisionedApps": {"A": {"appId": "A"}}, "memberOf": ["staff"]}
    await here.tell(told)
    here.users.put({k: v for k, v in user(1, department="Legal").items() if k != "mobile"})

    await here.reconcile()

    kept = (await here.known("person1.example"))["user"]
    assert kept == told | {"department": "Legal"}
    values = await rows(here.pool, "SELECT attribute FROM known_values ORDER BY 1")
    assert [row["attribute"] for row in values] == ["email", "login", "mobile"]


async def test_a_dry_run_writes_nothing(here: World) -> None:
    await here.both(user(1), user(2))
    here.users.put(user(3))
    here.users.people.pop(user(1)["id"])

    summary = await here.reconcile(dry_run=True)

    assert (summary.counts.created, summary.counts.removed) == (1, 1)
    assert [d.receipt for d in here.found] == [None, None]
    assert await here.entries() == []


async def test_secrets_of_the_own_record_are_cut(here: World) -> None:
    here.users.put(
        user(1, password="Pw-sentinel-1")
        | {"provisionedApps": {"A": {"login": {"password": "Pw-sentinel-2"}}}}
    )

    await here.reconcile()

    bodies = await rows(here.pool, "SELECT body FROM bodies")
    assert len(bodies) == 1
    assert "[cut]" in str(bodies)
    assert "Pw-sentinel" not in str(bodies)


async def test_only_bookkeeping_follows_unless_activities_are_asked_for(here: World) -> None:
    settings = here.settings.model_copy(update={"activities": {"notify": {"url": "http://127.0.0.1:9"}}})
    here.settings = settings
    here.users.put(user(1))
    await here.reconcile()
    here.users.put(user(2))

    await here.reconcile(run_activities=True)

    work = await rows(
        here.pool,
        "SELECT b.body::json->'request'->'user'->>'login' AS login, w.activity FROM work w "
        "JOIN bodies b ON b.delivery = w.delivery ORDER BY 1, 2",
    )
    assert [(row["login"], row["activity"]) for row in work] == [
        ("person1.example", "creation"),
        ("person2.example", "creation"),
        ("person2.example", "notify"),
    ]


async def test_a_missed_fact_confirms_what_waited_for_it(here: World) -> None:
    waiting = Planned("mail", "mail", plan_text(Plan()), timedelta(days=7), waits=True)
    await receive(here.pool, delivery("person1.example", "preCreateUser", creates=True, work=[waiting]))
    here.users.put(user(1))

    await here.reconcile()

    [row] = await rows(here.pool, "SELECT state FROM work WHERE activity = 'mail'")
    assert row["state"] == "planned"
    assert len(await rows(here.pool, "SELECT 1 FROM subjects")) == 1


async def test_a_listed_state_older_than_ours_is_none(here: World) -> None:
    await here.tell(user(1, department="Legal", version=5))
    here.users.put(user(1, department="Finance", version=4))

    summary = await here.reconcile()

    assert summary.counts.changed == 0
    assert await here.entries() == []


async def test_a_hook_that_comes_meanwhile_explains_it(here: World) -> None:
    """The row is read before the hook arrives; by the second look we have been told."""
    here.users.put(user(1))
    here.configure(settle=2)
    waiting = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.doing == "waiting for hooks on their way":
            waiting.set()

    running = asyncio.create_task(here.reconcile(watch=watch))
    await waiting.wait()
    await here.tell(user(1))
    summary = await running

    assert (summary.counts.created, summary.counts.meanwhile) == (0, 1)
    assert await here.entries() == []


async def test_who_is_known_by_login_alone_is_met_by_login(here: World) -> None:
    """The platform's own samples have no id at creation."""
    without = {k: v for k, v in user(1).items() if k != "id"}
    await here.tell(without)
    here.users.put(user(1))

    assert (await here.reconcile()).counts.created == 0

    here.users.put(user(1, department="Legal", version=2))
    await here.reconcile()
    await here.reconcile()
    assert [outcome for _, outcome, _ in await here.entries()] == ["missed change"]
    assert len(await rows(here.pool, "SELECT 1 FROM subjects")) == 1


async def test_a_new_record_under_a_known_login_is_a_create_and_a_removal(here: World) -> None:
    await here.both(user(1), user(2))
    here.users.people.pop(user(1)["id"])
    here.users.put(user(9, login=user(1)["login"]))

    await here.reconcile()
    first = await here.entries()
    await here.reconcile()

    created, removed = ["missed create", "rehire?", "conflict"], ["missed removal", "conflict"]
    assert [outcome for _, outcome, _ in first] == created + removed
    assert await here.entries() == first
    [live] = await rows(
        here.pool,
        "SELECT n.value FROM handles l JOIN handles n ON n.subject = l.subject AND n.kind = 'id' "
        "WHERE l.kind = 'login' AND l.value = 'person1.example' AND l.until IS NULL",
    )
    assert live["value"] == user(9)["id"]


async def test_who_comes_back_after_leaving_is_a_change_of_status(here: World) -> None:
    await here.tell(user(1))
    await here.tell(user(1, status="DELETE", version=2), "postUpdateUser")
    here.users.put(user(1, version=3))

    await here.reconcile()

    assert [(d.difference, d.attributes) for d in here.found] == [("missed change", ("status",))]
    assert not (await here.known("person1.example"))["left"]


async def test_a_leaver_whom_nobody_knew_was_not_missed(here: World) -> None:
    here.users.put(user(1, status="DELETE"), user(2))

    await here.reconcile()

    assert [d.platform_id for d in here.found] == [user(2)["id"]]


async def test_without_look_ups_the_row_itself_is_believed_and_absence_needs_two_readings(
    here: World,
) -> None:
    await here.both(*(user(n) for n in range(5)))
    here.users.put(user(6))
    here.users.people.pop(user(3)["id"])
    here.users.mischief = lambda asked: None if asked.path == LIST else envelope(None, status=403)

    summary = await here.reconcile()

    assert {(d.difference, d.platform_id, d.evidence) for d in here.found} == {
        ("missed create", user(6)["id"], "list"),
        ("missed removal", user(3)["id"], "absent from two whole readings"),
    }
    assert summary.clean
    assert summary.counts.pages == 6


async def test_two_tenants_are_apart(here: World) -> None:
    """Another tenant's people, with the same ids and logins, are neither compared nor removed."""
    for n in range(4):
        await here.tell(user(n), tenant="as100")
    other = here.settings.tenants["as100"]
    here.settings = here.settings.model_copy(update={"tenants": {"as100": other, "as200": other}})
    await here.tell(user(1, department="Legal"), tenant="as200")
    await here.tell(user(7), tenant="as200")
    here.users.put(*(user(n) for n in range(4)))

    await here.reconcile("as100")
    assert here.found == []

    await here.reconcile("as200")
    assert {(d.difference, d.platform_id) for d in here.found} == {
        ("missed create", user(0)["id"]),
        ("missed create", user(2)["id"]),
        ("missed create", user(3)["id"]),
        ("missed change", user(1)["id"]),
        ("missed removal", user(7)["id"]),
    }
    assert await here.entries("as100") == []
    assert (
        len(await rows(here.pool, "SELECT 1 FROM identities WHERE tenant = 'as100' AND left_at IS NULL")) == 4
    )
