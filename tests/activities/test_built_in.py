"""The five built-in activities, from hook to ledger, on the real store and a real worker."""

import json
import uuid
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities._planning import Planner
from activities._registry import registry
from hooks import by_name
from hooks.facts import fact_of
from ledger.receive import receive
from settings import Settings
from tests.support import delivery, rows
from tests.workflows.lifecycle import Lifecycle, lifecycle

APP, CRM = "620231fee789224ec1cec3dd", "crm"
PRIVATE = "+91 98 7654 3210"


@pytest.fixture(autouse=True)
def _examples() -> Generator[None]:
    """Only what Hookledger brings is planned here."""
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
async def person(settings: Settings, client: Client) -> AsyncGenerator[Lifecycle]:
    """A fresh person, with a worker running."""
    async with lifecycle(settings, client) as person:
        yield person


async def _hook(person: Lifecycle, name: str, user: Mapping[str, Any] | None = None, **request: Any) -> None:
    """Stores a hook as the answer path would, with what the planner plans; rings nobody."""
    hook = by_name()[name.lower()]
    verdict = request.pop("verdict", "received")
    whole = {"user": {"login": person.login, **(user or {})}, **request}
    d = delivery(
        person.login,
        hook.name,
        verdict=verdict,
        body=json.dumps({"request": whole}),
        platform_id=whole["user"].get("id"),
        application=hook.application(whole),
        creates=hook.creates,
        fact=hook.fact,
        identity=fact_of(whole["user"]) if hook.whole_user else None,
        work=Planner({}).plan(hook, whole, "as100"),
    )
    person.receipts.append(await receive(person.pool, d))


async def _settled(person: Lifecycle) -> list[tuple[str, str]]:
    """Rings, waits, and gives every activity's outcome in order."""
    await person.ring()
    assert await person.ended() is WorkflowExecutionStatus.COMPLETED
    assert await person.open_work() == 0
    return [(activity, outcome) for _, activity, outcome in await person.outcomes()]


async def _details(person: Lifecycle, activity: str) -> list[dict[str, Any]]:
    found = await rows(
        person.pool,
        "SELECT detail FROM entries WHERE subject = $1 AND activity = $2 ORDER BY id",
        person.subject,
        activity,
    )
    return [r["detail"] for r in found]


async def _held(person: Lifecycle) -> dict[tuple[str, str], tuple[str, bool]]:
    """Entitlements: (application, role) to (state, open)."""
    found = await rows(person.pool, "SELECT * FROM entitlements WHERE subject = $1", person.subject)
    return {(r["application"], r["role"]): (r["state"], r["until"] is None) for r in found}


async def _stage(person: Lifecycle) -> str:
    return await person.pool.fetchval("SELECT stage FROM identities WHERE subject = $1", person.subject)


def _provision(action: str, *roles: Any, app: str | None = APP, **more: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"action": action, "roleList": list(roles), "isSuccess": True, "uid": "u-1"}
    return request | ({} if app is None else {"applicationId": app}) | more


async def test_joiner(person: Lifecycle) -> None:
    await _hook(person, "preCreateUser")
    await _hook(person, "postCreateUser", {"status": "ACTIVE"})
    await _hook(person, "preProvision", **_provision("Application Create"))
    await _hook(person, "postProvision", **_provision("Application Create", "r1", {"id": "r2"}, 7))
    await _hook(person, "changePassword")
    assert await _settled(person) == [
        ("creation", "creating"),
        ("creation", "created"),
        ("provisioning", "provisioning"),
        ("provisioning", "provisioned"),
        ("password", "password changed"),
    ]
    assert await _stage(person) == "present"
    assert await _held(person) == {(APP, r): ("granted", True) for r in ("", "r1", "r2")}
    grants = await rows(person.pool, "SELECT * FROM entitlements WHERE subject = $1", person.subject)
    [granting] = await rows(
        person.pool, "SELECT * FROM deliveries WHERE subject = $1 AND seq = 4", person.subject
    )
    assert {(g["since"], g["opened_by"], g["uid"]) for g in grants} == {
        (granting["received_at"], granting["id"], "u-1")
    }


async def test_leaver(person: Lifecycle) -> None:
    await _hook(person, "postCreateUser")
    await _hook(person, "postProvision", **_provision("Application Create", "r1"))
    await _hook(person, "postProvision", **_provision("Application Create", app=CRM))
    await _hook(person, "runDeprovision", verdict="deprovision")
    assert (await _settled(person))[-1] == ("deprovisioning", "ending")
    assert set((await _held(person)).values()) == {("ending", True)}
    await _hook(person, "postProvision", **_provision("Application Delete"))
    await _hook(person, "postUpdateUser", {"status": "DELETED"})
    assert (await _settled(person))[-2:] == [("provisioning", "removed"), ("change", "left")]
    assert await _held(person) == {
        (APP, ""): ("ended confirmed", False),
        (APP, "r1"): ("ended confirmed", False),
        (CRM, ""): ("ending", True),
    }
    assert await _stage(person) == "left"


@pytest.mark.parametrize("verdict", ["leave", "braked", "undecided"])
async def test_what_is_left_in_place_stays_granted(person: Lifecycle, verdict: str) -> None:
    await _hook(person, "postProvision", **_provision("Application Create"))
    await _hook(person, "runDeprovision", verdict=verdict)
    assert (await _settled(person))[-1] == ("deprovisioning", "left in place")
    assert await _details(person, "deprovisioning") == [{"answer": verdict}]
    assert await _held(person) == {(APP, ""): ("granted", True)}


async def test_a_role_ends_alone(person: Lifecycle) -> None:
    await _hook(person, "postProvision", **_provision("Application Create", "r1", "r2"))
    await _hook(person, "preProvision", **_provision("Role Unassign", "r1"))
    await _hook(person, "postProvision", **_provision("Role Unassign", "r1"))
    assert [o for _, o in await _settled(person)] == ["provisioned", "removing", "removed"]
    assert await _held(person) == {
        (APP, ""): ("granted", True),
        (APP, "r1"): ("ended confirmed", False),
        (APP, "r2"): ("granted", True),
    }


async def test_an_intention_to_remove_is_not_yet_an_end(person: Lifecycle) -> None:
    await _hook(person, "postProvision", **_provision("Application Create"))
    await _hook(person, "preProvision", **_provision("Application De-provision"))
    await _settled(person)
    assert await _held(person) == {(APP, ""): ("ending", True)}
    # Given again after all: it is granted as before, and only once.
    await _hook(person, "postProvision", **_provision("Application Create"))
    await _settled(person)
    assert await _held(person) == {(APP, ""): ("granted", True)}


async def test_what_did_not_work_changes_nothing(person: Lifecycle) -> None:
    await _hook(person, "postProvision", **_provision("Application Create", isSuccess=False))
    await _hook(person, "postProvision", **_provision("Application Create", isSuccess="true"))
    await _hook(person, "postProvision", **_provision("Application Create", app=None))
    assert [o for _, o in await _settled(person)] == [
        "failed at the application",
        "failed at the application",
        "no application named",
    ]
    assert await _held(person) == {}


async def test_a_second_spell_is_a_row_of_its_own(person: Lifecycle) -> None:
    for action in ("Application Create", "Application Delete", "Application Create"):
        await _hook(person, "postProvision", **_provision(action))
    await _settled(person)
    found = await rows(
        person.pool,
        "SELECT state FROM entitlements WHERE subject = $1 ORDER BY since",
        person.subject,
    )
    assert [r["state"] for r in found] == ["ended confirmed", "granted"]


async def test_change_names_attributes_and_no_values(person: Lifecycle) -> None:
    user = {"status": "ACTIVE", "mobile": PRIVATE, "department": "Sales", "version": 1}
    await _hook(person, "postUpdateUser", user)
    await _hook(
        person, "preUpdateUser", user | {"mobile": "+91 1", "title": "Head", "version": 2, "updated": "x"}
    )
    await _hook(
        person, "postUpdateUser", {"status": "ACTIVE", "mobile": "+91 1", "title": "Head", "version": 2}
    )
    assert [o for _, o in await _settled(person)] == ["changed", "changing", "changed"]
    assert await _details(person, "change") == [
        {"changed": "unknown: first seen"},
        {"changed": ["mobile", "title"]},
        {"changed": ["department", "mobile", "title"]},
    ]
    entries = await rows(person.pool, "SELECT * FROM entries WHERE subject = $1", person.subject)
    assert PRIVATE not in json.dumps(entries)
    assert "Sales" not in json.dumps(entries)


@pytest.mark.parametrize("status", ["DELETED", "delete", "ARCHIVED", "Archive"])
async def test_who_left(person: Lifecycle, status: str) -> None:
    await _hook(person, "postUpdateUser", {"status": "ACTIVE"})
    await _hook(person, "postUpdateUser", {"status": status})
    assert (await _settled(person))[-1] == ("change", "left")
    assert await _stage(person) == "left"


async def test_bells_ring_too_often_and_nothing_doubles(person: Lifecycle) -> None:
    await _hook(person, "postProvision", **_provision("Application Create", "r1"))
    for _ in range(5):
        await person.ring()
    await person.ended()
    for _ in range(2):
        await _settled(person)
    assert await _settled(person) == [("provisioning", "provisioned")]
    grants = await rows(person.pool, "SELECT 1 FROM entitlements WHERE subject = $1", person.subject)
    assert len(grants) == 2


async def test_the_same_fact_twice_is_one_entitlement(person: Lifecycle) -> None:
    """Sent again by the platform, as a delivery of its own: both are recorded, and one grant is open."""
    for _ in range(2):
        await _hook(person, "postProvision", **_provision("Application Create", "r1"))
    assert await _settled(person) == [("provisioning", "provisioned")] * 2
    grants = await rows(person.pool, "SELECT opened_by FROM entitlements WHERE subject = $1", person.subject)
    assert len(grants) == 2
    first = await person.pool.fetchval(
        "SELECT id FROM deliveries WHERE subject = $1 AND seq = 1", person.subject
    )
    assert {uuid.UUID(g["opened_by"]) for g in grants} == {first}


async def test_a_rehire_is_said_so(person: Lifecycle) -> None:
    for n in (1, 2):
        await _hook(person, "postCreateUser", {"id": f"{person.login}-{n}"})
        await person.ring()
    first, second = person.receipts
    assert first.subject != second.subject
    query = "SELECT detail FROM entries WHERE subject = $1 AND outcome = 'created'"
    [entry] = await person.until(lambda: rows(person.pool, query, second.subject))
    assert entry["detail"] == {"rehire": True}
    [entry] = await person.until(lambda: rows(person.pool, query, first.subject))
    assert entry["detail"] == {}


def _account(status: str = "SUCCESS_CREATE", *roles: str) -> dict[str, Any]:
    return {"assignedRoles": list(roles), "login": {"status": status, "appUserId": "u-1"}}


async def _fact(
    person: Lifecycle, apps: dict[str, Any] | None, hook: str = "postUpdateUser", **user: Any
) -> None:
    listed = {} if apps is None else {"provisionedApps": apps}
    await _hook(person, hook, {"status": "ACTIVE", **listed, **user})


async def test_what_a_record_lists_is_known_and_what_it_lists_no_more_has_ended_as_inferred(
    person: Lifecycle,
) -> None:
    await _fact(
        person, {APP: _account("SUCCESS_CREATE", "r1", "r2"), CRM: _account(), "CYMMETRI": _account()}
    )
    await _fact(person, {APP: _account("SUCCESS_UPDATE", "r2", "r3"), CRM: _account("PENDING_DELETE")})
    await _settled(person)
    assert await _held(person) == {
        (APP, ""): ("granted", True),
        (APP, "r1"): ("ended inferred", False),
        (APP, "r2"): ("granted", True),
        (APP, "r3"): ("granted", True),
        (CRM, ""): ("ending", True),
    }
    await _fact(person, None)  # says nothing of applications
    await _fact(person, {CRM: _account("SUCCESS_DELETE")})
    await _settled(person)
    assert {held for held, (_, open_) in (await _held(person)).items() if open_} == {
        (APP, ""), (APP, "r2"), (APP, "r3"), (CRM, "")
    }  # fmt: skip


async def test_the_record_before_decides_what_has_ended(person: Lifecycle) -> None:
    await _fact(person, {APP: _account("SUCCESS_CREATE", "r1"), CRM: _account()})
    await _fact(person, {CRM: _account("SUCCESS_DELETE")})
    await _settled(person)
    assert await _held(person) == {
        (APP, ""): ("ended inferred", False),
        (APP, "r1"): ("ended inferred", False),
        (CRM, ""): ("ended inferred", False),
    }
    endings = await rows(person.pool, "SELECT * FROM entitlements WHERE subject = $1", person.subject)
    [second] = await rows(
        person.pool, "SELECT * FROM deliveries WHERE subject = $1 AND seq = 2", person.subject
    )
    assert {(e["until"], e["closed_by"]) for e in endings} == {(second["received_at"], second["id"])}


async def test_what_is_not_there_yet_is_no_entitlement(person: Lifecycle) -> None:
    apps = {APP: _account("PENDING_CREATE"), CRM: _account("FAIL_CREATE"), "odd": "text", "": _account()}
    await _fact(person, apps, "postCreateUser")
    await _settled(person)
    assert await _held(person) == {}


async def test_a_record_that_lags_opens_nothing_again(person: Lifecycle) -> None:
    await _fact(person, {APP: _account()})
    await _hook(person, "postProvision", **_provision("Application Delete"))
    await _fact(person, {APP: _account()})
    await _settled(person)
    assert await _held(person) == {(APP, ""): ("ended confirmed", False)}


async def test_an_older_record_ends_nothing(person: Lifecycle) -> None:
    await _fact(person, {}, version=1)
    await _fact(person, {APP: _account()}, version=5)
    await _fact(person, {}, version=4)
    await _settled(person)
    assert await _held(person) == {(APP, ""): ("granted", True)}


async def test_nobody_knows_how_it_ends_for_the_archived(person: Lifecycle) -> None:
    await _fact(person, {APP: _account(), CRM: _account()})
    await _hook(person, "postProvision", **_provision("Application Delete", app=CRM))
    await _hook(person, "postUpdateUser", {"status": "ARCHIVED"})
    await _settled(person)
    assert await _held(person) == {(APP, ""): ("unknown", True), (CRM, ""): ("ended confirmed", False)}
    await _hook(person, "postProvision", **_provision("Application Delete"))
    await _settled(person)
    assert (await _held(person))[APP, ""] == ("ended confirmed", False)


async def test_since_when_it_is_ending_is_kept_until_it_is_given_again(person: Lifecycle) -> None:
    async def ending_since() -> Any:
        return await person.pool.fetchval(
            "SELECT ending_since::text FROM entitlements WHERE subject = $1 AND until IS NULL", person.subject
        )

    await _hook(person, "postProvision", **_provision("Application Create"))
    await _hook(person, "runDeprovision", verdict="deprovision")
    await _hook(person, "preProvision", **_provision("Application Delete"))
    await _settled(person)
    asked = await person.pool.fetchval(
        "SELECT received_at::text FROM deliveries WHERE subject = $1 AND seq = 2", person.subject
    )
    assert await ending_since() == asked
    await _hook(person, "postProvision", **_provision("Application Create"))
    await _settled(person)
    assert await ending_since() is None
