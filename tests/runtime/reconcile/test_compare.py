"""What is a difference and what is only another spelling, or nobody's business."""

from typing import Any
from uuid import UUID

import pytest

from ledger.known import Known
from runtime.reconcile.compare import changed, judge, login_of


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        ({"department": "Finance"}, {"department": "Legal"}, ["department"]),
        ({"department": "Finance"}, {}, []),
        ({"department": "Finance"}, {"department": None}, ["department"]),
        ({"department": None}, {"department": ""}, []),
        ({}, {"department": "Finance"}, ["department"]),
        ({}, {"initialLoginPending": True}, []),
        ({"isAdmin": False}, {"isAdmin": True}, ["isAdmin"]),
        ({"firstName": "Asha"}, {"firstName": " Asha "}, []),
        ({"firstName": "Asha"}, {"firstName": "ASHA"}, ["firstName"]),
        ({"grade": 5}, {"grade": "5"}, []),
        ({"grade": 5}, {"grade": "6"}, ["grade"]),
        ({"startDate": "2026-02-01T00:00"}, {"startDate": "2026-02-01T00:00:00.00"}, []),
        ({"startDate": "2026-02-01"}, {"startDate": "2026-02-01T00:00"}, []),
        ({"startDate": "2026-02-01T00:00"}, {"startDate": "2026-02-02T00:00"}, ["startDate"]),
        ({"endDate": "soon"}, {"endDate": "soon "}, []),
        ({}, {"status": "ACTIVE"}, []),
        ({}, {"status": "INACTIVE"}, ["status"]),
        ({"status": "ACTIVE"}, {"status": "ACTIVE_WITH_APPLICATION"}, []),
        ({"status": "ACTIVE"}, {"status": "INACTIVE_WITH_APPLICATION"}, ["status"]),
        ({"assignedGroups": ["a", "b"]}, {"assignedGroups": ["b", "a"]}, []),
        ({"assignedGroups": []}, {"assignedGroups": ["b"]}, ["assignedGroups"]),
        (
            {"updated": "1", "version": 1, "createdBy": "a"},
            {"updated": "2", "version": 2, "createdBy": "b"},
            [],
        ),
        ({"displayName": "A"}, {"displayName": "B"}, []),
        ({"provisionedApps": {}}, {"provisionedApps": {"A": {}}}, []),
        ({"token": "[cut]"}, {"token": "a new one"}, []),
        ({"attributes": {"a": 1, "b": 2}}, {"attributes": {"a": 1, "b": 3, "c": 4}}, ["attributes.b"]),
        ({"attributes": [{"name": "a", "value": "1"}]}, {"attributes": {"a": "1"}}, []),
        ({"attributes": {"a": "1"}}, {"attributes": [{"name": "a", "value": "2"}]}, ["attributes.a"]),
        ({"attributes": {"a": "1"}}, {"attributes": None}, []),
        ({"desk": {"floor": 1}}, {"desk": {"floor": 2}}, ["desk"]),
    ],
)
def test_attributes(before: dict[str, Any], now: dict[str, Any], names: list[str]) -> None:
    assert changed(before, now) == names


def test_what_is_ignored_by_configuration() -> None:
    before, now = {"city": "Pune", "attributes": {"a": 1}}, {"city": "Delhi", "attributes": {"a": 2}}

    assert changed(before, now, ["city", "attributes.a"]) == []


def _known(**changes: Any) -> Known:
    values: dict[str, Any] = {
        "subject": UUID(int=1), "platform_id": "1", "login": "a", "told": True, "left": False, "version": 3,
        "updated": "2026-02-01T10:00:00", "delivery": UUID(int=2), "user": {"login": "a", "department": "Finance"},
    }  # fmt: skip
    return Known(**(values | changes))


@pytest.mark.parametrize(
    ("known", "now", "missed"),
    [
        (None, {}, "missed create"),
        (_known(told=False, user=None), {}, "missed create"),
        (None, {"status": "DELETE"}, None),
        (_known(), {"department": "Legal"}, "missed change"),
        (_known(), {"department": "Legal", "version": 2}, None),
        (_known(), {"department": "Legal", "version": 3}, "missed change"),
        (_known(version=None), {"department": "Legal", "updated": "2026-01-31T10:00:00"}, None),
        (_known(), {"status": "ARCHIVED"}, "missed removal"),
        (_known(), {"status": "DELETE", "version": 2}, None),
        (_known(left=True), {"status": "DELETE"}, None),
        (_known(left=True), {"status": "ACTIVE", "version": 4}, "missed change"),
        (_known(user=None), {"department": "Legal"}, None),
        (_known(user=None), {"status": "DELETE"}, "missed removal"),
    ],
)
def test_judgement(known: Known | None, now: dict[str, Any], missed: str | None) -> None:
    finding = judge({"login": "a"} | now, known)

    assert (finding and finding.missed) == missed


def test_the_login_is_found_where_the_platform_keeps_it() -> None:
    inner = {"provisionedApps": {"CYMMETRI": {"login": {"login": "asha"}}}}

    assert login_of(inner | {"login": "top"}) == "top"
    assert login_of(inner) == "asha"
    assert login_of({"login": " ", "provisionedApps": {"CYMMETRI": {"login": "no object"}}}) is None
