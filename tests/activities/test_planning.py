"""What a delivery causes: by hook, condition, configuration; as data."""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from activities import Event, Hook, Tools, activity, days
from activities._planning import Planner
from activities._registry import registry
from ledger.plan import Plan


@activity(on=Hook.POST_PROVISION, when='request.isSuccess && request.applicationId == "hr"', batch=3)
async def ticket(event: Event, tools: Tools) -> None:
    """Conditional."""


@activity(
    on=Hook.POST_PROVISION, when='user.department == "Sales" && tenant == "as100" && hook == "postProvision"'
)
async def sales(event: Event, tools: Tools) -> None:
    """Conditional on everything else."""


@activity(on=Hook.POST_PROVISION, needs_settings=True)
async def optional(event: Event, tools: Tools) -> None:
    """Only if configured."""


@activity(on=Hook.PRE_PROVISION, confirmed=True, window=days(2))
async def surely(event: Event, tools: Tools) -> None:
    """Waits for the fact."""


@activity(on=Hook.POST_CREATE_USER, delay=days(30))
async def reminder(event: Event, tools: Tools) -> None:
    """Comes later."""


@activity(on=Hook.CHANGE_PASSWORD, secret=True)
async def sync(event: Event, tools: Tools) -> None:
    """Needs the password."""


NOBODY: dict[str, Any] = {"user": {}}


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModuleType("own_activities")
    for made in (ticket, sales, optional, surely, reminder, sync):
        setattr(own, made.name, made)
    monkeypatch.setitem(sys.modules, "own_activities", own)
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", "own_activities")
    registry.cache_clear()


def _names(
    hook: Hook, request: dict[str, Any], settings: Mapping[str, Mapping[str, Any]] | None = None
) -> list[str]:
    return [p.activity for p in Planner(settings or {}).plan(hook, request, "as100")]


@pytest.mark.parametrize(
    ("request_", "planned"),
    [
        ({"isSuccess": True, "applicationId": "hr"}, True),
        ({"isSuccess": False, "applicationId": "hr"}, False),
        ({"isSuccess": True, "applicationId": "crm"}, False),
        ({"applicationId": "hr"}, False),
        ({"isSuccess": "true", "applicationId": "hr"}, False),
        ({"isSuccess": True, "applicationId": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_condition_holds_or_not_and_never_breaks(request_: dict[str, Any], planned: bool) -> None:
    assert ("ticket" in _names(Hook.POST_PROVISION, NOBODY | request_)) == planned


def test_conditions_see_user_tenant_and_hook() -> None:
    sold: dict[str, Any] = {"user": {"login": "a", "department": "Sales"}}
    assert "sales" in _names(Hook.POST_PROVISION, sold)
    assert "sales" not in _names(Hook.POST_PROVISION, {"user": {"login": "a"}})
    assert "sales" not in [p.activity for p in Planner({}).plan(Hook.POST_PROVISION, sold, "as200")]


def test_what_needs_settings_is_planned_once_it_has_them() -> None:
    assert _names(Hook.POST_PROVISION, NOBODY) == ["provisioning"]
    assert _names(Hook.POST_PROVISION, NOBODY, {"optional": {}}) == ["optional", "provisioning"]
    assert _names(Hook.POST_CREATE_USER, NOBODY, {"mail": {}, "notify": {}}) == [
        "creation",
        "mail",
        "notify",
        "reminder",
    ]


def test_lane_and_plan_are_data() -> None:
    request = NOBODY | {"isSuccess": True, "applicationId": "hr"}
    [keeping, planned] = Planner({}).plan(Hook.POST_PROVISION, request, "as100")
    assert (planned.activity, planned.lane, planned.waits) == ("ticket", "ticket:hr", False)
    assert Plan.from_row(json.loads(planned.plan)) == ticket.plan
    assert (keeping.activity, keeping.lane) == ("provisioning", "bookkeeping")


def test_confirmed_waits_its_window_and_delay_delays() -> None:
    [_, waiting] = Planner({}).plan(Hook.PRE_PROVISION, NOBODY, "as100")
    assert (waiting.activity, waiting.waits, waiting.delay) == ("surely", True, days(2))
    [_, late] = Planner({}).plan(Hook.POST_CREATE_USER, NOBODY, "as100")
    assert (late.activity, late.waits, late.delay) == ("reminder", False, timedelta(days=30))


def test_a_secret_is_needed_only_by_who_said_so() -> None:
    planner = Planner({})
    work = planner.plan(Hook.CHANGE_PASSWORD, NOBODY, "as100")
    assert {w.activity: Plan.from_row(json.loads(w.plan)).secret for w in work} == {
        "password": False,
        "sync": True,
    }
    assert planner.sealed_for(work) == days(1) + timedelta(hours=6), (
        "its give-up time, though its first attempt comes late"
    )
    assert planner.sealed_for(planner.plan(Hook.POST_CREATE_USER, NOBODY, "as100")) is None


def test_bookkeeping_alone_may_wait_for_its_ring() -> None:
    planner = Planner({})
    assert planner.only_bookkeeping(planner.plan(Hook.POST_PROVISION, NOBODY, "as100"))
    assert not planner.only_bookkeeping(planner.plan(Hook.CHANGE_PASSWORD, NOBODY, "as100"))


def test_hooks_that_cause_nothing() -> None:
    assert _names(Hook.VALIDATE_USER, NOBODY) == []
