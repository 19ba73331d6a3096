"""Rules at the edge: what is answered, what is kept, and what a rule in shadow leaves as it is."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, configure, listen
from tests.api.people import mobile, person, recorded, unique
from tests.support import Servers, rows

RULES = r"""
[tenants.as100.rules]
mode = "on"
zone = "Asia/Kolkata"
attributes = ["badge"]
[tenants.as100.rules.tables]
ou = { rows = { Finance = "OU=Finance,DC=example", Sales = "OU=Sales,DC=example" } }

[[tenants.as100.rules.validate]]
name = "contractor-end-date"
when = 'user.userType == "Contractor"'
required = ["endDate"]
code = "EndDateRequired"

[[tenants.as100.rules.validate]]
name = "blocked-domain"
refuse = 'user.email.endsWith("@blocked.example")'
code = "EmailDomainBlocked"

[[tenants.as100.rules.validate]]
name = "employee-id"
pattern = { employeeId = 'E[0-9]{4}' }
code = "EmployeeIdInvalid"
on = ["validateUser"]

[[tenants.as100.rules.validate]]
name = "country-in-shadow"
mode = "shadow"
refuse = 'user.country != "India"'
code = "CountryNotAllowed"

[[tenants.as100.rules.validate]]
name = "no-move-without-manager"
on = ["validateUpdateUser"]
refuse = 'changed("department") && !has(user.managerId)'
code = "ManagerRequired"

[[tenants.as100.rules.enrich]]
name = "display-name"
set = { displayName = 'user.firstName + " " + user.lastName' }

[[tenants.as100.rules.deprovision]]
name = "mover"
remove = 'changed("department")'

[[tenants.as100.rules.naming]]
name = "mail"
attribute = "email"
ascii = true
patterns = ['slug(user.firstName, "") + "." + slug(user.lastName, "") + "@example.com"']

[[tenants.as100.rules.policy_map]]
name = "ou"
target = "OU"
value = 'lookup("ou", user.department)'

[[tenants.as100.rules.policy_map]]
name = "expiry"
target = "accountExpires"
value = 'format_date(parse_date(user.endDate), "%d-%b-%Y")'
"""


@pytest.fixture(scope="module")
async def ruled(
    servers: Servers, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    """An edge whose tenant as100 has written rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        directory = tmp_path_factory.mktemp("ruled")
        settings = configure(directory, store, api="deadline = 5.0", rules=RULES, deprovision="rules")
        async with listen(settings) as edge:
            yield edge


async def _refusal(edge: Edge, hook: str, user: dict[str, Any]) -> str | None:
    got = await edge.answer(hook, {"user": user})
    return got.get("message")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"userType": "Contractor"}, "EndDateRequired"),
        ({"userType": "Contractor", "endDate": ""}, "EndDateRequired"),
        ({"userType": "Contractor", "endDate": None}, "EndDateRequired"),
        ({"userType": "Contractor", "endDate": "2027-01-01T00:00"}, None),
        ({"userType": "Employee"}, None),
        ({"email": "someone@blocked.example"}, "EmailDomainBlocked"),
        ({"employeeId": "E12"}, "EmployeeIdInvalid"),
        ({"employeeId": "xE1234"}, "EmployeeIdInvalid"),
        ({"country": "Elsewhere"}, None),
    ],
)
async def test_a_rule_refuses_with_its_code(ruled: Edge, more: dict[str, Any], code: str | None) -> None:
    assert await _refusal(ruled, "validateUser", person() | more) == code


async def test_an_absent_attribute_refuses_nothing(ruled: Edge) -> None:
    user = person()
    del user["country"], user["email"]

    assert await _refusal(ruled, "validateUser", user) is None


async def test_a_refusal_names_its_rule_in_the_ledger(ruled: Edge, pool: Pool) -> None:
    user = person() | {"userType": "Contractor"}
    await ruled.answer("validateUser", {"user": user})

    [entry] = await rows(pool, _ENTRIES, user["login"])
    assert (entry["outcome"], entry["detail"]) == ("refused", {"attributes": ["rule:contractor-end-date"]})
    [kept] = await rows(pool, "SELECT text FROM rule_texts WHERE hash = $1", entry["rules_hash"])
    assert "EndDateRequired" in kept["text"]


async def test_a_shadow_is_recorded_and_changes_nothing(ruled: Edge, pool: Pool) -> None:
    user = person() | {"country": "Elsewhere"}
    answer = await ruled.answer("validateUser", {"user": user})

    assert "error" not in answer
    entries = {e["outcome"]: e["detail"] for e in await rows(pool, _ENTRIES, user["login"])}
    assert entries["would refuse"] == {"rule": "country-in-shadow", "code": "CountryNotAllowed"}
    assert "passed" in entries


async def test_a_pre_hook_is_answered_with_what_the_rules_set(ruled: Edge, pool: Pool) -> None:
    user = person() | {"firstName": "Asha", "lastName": "Rao"}
    answer = await ruled.answer("preCreateUser", {"user": user})

    assert answer["data"] == user | {"displayName": "Asha Rao"}
    [body] = await rows(
        pool,
        "SELECT b.body, b.patch FROM bodies b JOIN deliveries d ON d.id = b.delivery JOIN handles h USING (subject)"
        " WHERE h.value = $1",
        user["login"],
    )
    assert json.loads(body["patch"]) == {"displayName": "Asha Rao"}
    assert json.loads(body["body"])["request"]["user"] == user


async def test_what_is_there_is_not_set_again(ruled: Edge) -> None:
    user = person() | {"displayName": "Given"}

    assert (await ruled.answer("preCreateUser", {"user": user}))["data"]["displayName"] == "Given"


async def test_what_changed_is_told_from_the_last_fact(ruled: Edge) -> None:
    user = person() | {"id": "66aa000000000000000000a1", "department": "Finance"}
    await ruled.answer("postCreateUser", {"user": user})

    assert await _refusal(ruled, "validateUpdateUser", user) is None
    moved = user | {"department": "Sales"}
    assert await _refusal(ruled, "validateUpdateUser", moved) == "ManagerRequired"
    assert (
        await _refusal(ruled, "validateUpdateUser", moved | {"managerId": "66aa000000000000000000a2"}) is None
    )


@pytest.mark.parametrize(
    "order", [("runDeprovision", "postUpdateUser"), ("postUpdateUser", "runDeprovision")]
)
async def test_a_mover_is_one_whether_the_fact_comes_before_or_after(
    ruled: Edge, order: tuple[str, str]
) -> None:
    user = person() | {"id": unique(), "department": "Finance"}
    await ruled.answer("postCreateUser", {"user": user})
    moved = user | {"department": "Sales", "version": 2}

    said = {hook: await ruled.answer(hook, {"user": moved}) for hook in order}

    assert said["runDeprovision"] == {"data": True}
    settled = moved | {"version": 3, "city": "Pune"}
    await ruled.answer("postUpdateUser", {"user": settled})
    assert await ruled.answer("runDeprovision", {"user": settled}) == {"data": False}


async def test_names_are_given_held_and_given_again(ruled: Edge) -> None:
    first, second = (_unmailed("José", "Łukasz") for _ in range(2))
    given = [
        (await ruled.answer("validateUser", {"user": u}))["data"]["email"] for u in (first, second, first)
    ]

    assert given == ["jose.lukasz@example.com", "jose.lukasz2@example.com", "jose.lukasz@example.com"]
    again = (await ruled.answer("preCreateUser", {"user": first}))["data"]["email"]
    assert again == given[0]
    taker = person() | {"email": "jose.lukasz2@example.com"}
    assert await _refusal(ruled, "validateUser", taker) == "EmailAlreadyExist"


async def test_many_namesakes_at_once_get_a_name_each(ruled: Edge) -> None:
    users = [_unmailed("Meera", "Nair") for _ in range(64)]
    answers = await asyncio.gather(*(ruled.answer("validateUser", {"user": u}) for u in users))

    given = [a["data"].get("email") for a in answers]
    assert None not in given
    assert len(set(given)) == 64
    assert {f"meera.nair{n}@example.com" for n in ("", *range(2, 65))} == set(given)


async def test_policy_map_looks_up_and_converts(ruled: Edge) -> None:
    user = person() | {"department": "Sales", "endDate": "2027-03-31T00:00"}

    async def mapped(target: str, **more: Any) -> Any:
        request = {
            "targetAttribute": target,
            "cymmetrifield": "email",
            "defaultValue": "d",
            "user": user | more,
        }
        return (await ruled.answer("policyMap", request))["mappedValue"]

    assert await mapped("ou") == "OU=Sales,DC=example"
    assert await mapped("ou", department="Unknown") == user["email"]
    assert await mapped("accountExpires") == "31-Mar-2027"
    assert await mapped("accountExpires", endDate="never") == user["email"]
    assert await mapped("mail") == user["email"]


def _unmailed(first: str, last: str) -> dict[str, Any]:
    user = person() | {"firstName": first, "lastName": last}
    del user["email"]
    return user


_ENTRIES = """
    SELECT e.outcome, e.detail, e.rules_hash FROM entries e JOIN handles h USING (subject) WHERE h.value = $1 ORDER BY e.id
"""


NAMING = """
[tenants.as100.rules]
mode = "on"
[[tenants.as100.rules.naming]]
name = "login"
attribute = "login"
overwrite = true
ascii = true
person = 'user.employeeId'
patterns = ['slug(user.firstName.substring(0, 1)) + "." + slug(user.lastName, "")']
[[tenants.as100.rules.deprovision]]
name = "leaver"
remove = 'user.status == "DELETE"'
"""


@pytest.fixture
async def naming(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Edge]:
    """An edge whose tenant as100 gives logins."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    settings = configure(tmp_path, store, api="deadline = 5.0", rules=NAMING)
    async with listen(settings) as edge:
        yield edge


async def test_a_login_is_given_and_the_fact_under_it_is_the_same_person(naming: Edge, pool: Pool) -> None:
    family = f"Fam{unique()}"
    wished = person() | {"lastName": family, "employeeId": unique(), "login": "to.be.given"}
    other = person() | {"lastName": family, "employeeId": unique(), "login": "to.be.given"}
    given = [(await naming.answer("validateUser", {"user": u}))["data"]["login"] for u in (wished, other)]
    again = (await naming.answer("preCreateUser", {"user": wished}))["data"]["login"]

    assert given == [f"a.{family.lower()}", f"a.{family.lower()}2"]
    assert again == given[0]
    await naming.answer("postCreateUser", {"user": wished | {"login": given[0], "id": unique()}})
    hooks = [r["hook"] for r in await recorded(pool, given[0])]
    assert hooks == ["validateUser", "preCreateUser", "postCreateUser"]


async def test_who_comes_back_keeps_the_login(naming: Edge, pool: Pool) -> None:
    wished = person() | {"lastName": f"Fam{unique()}", "employeeId": unique(), "login": "to.be.given"}
    first = (await naming.answer("preCreateUser", {"user": wished}))["data"]["login"]
    known = wished | {"login": first, "id": unique()}
    await naming.answer("postCreateUser", {"user": known})
    await naming.answer("postUpdateUser", {"user": known | {"status": "DELETE"}})

    back = wished | {"email": f"{unique()}@example.com", "mobile": mobile()}
    assert (await naming.answer("preCreateUser", {"user": back}))["data"]["login"] == first
    await naming.answer("postCreateUser", {"user": back | {"login": first, "id": unique()}})
    subjects = await rows(
        pool,
        "SELECT s.rehire_of IS NOT NULL AS rehired FROM subjects s JOIN handles h ON h.subject = s.id"
        " WHERE h.value = $1 ORDER BY s.created_at",
        first,
    )
    assert [s["rehired"] for s in subjects] == [False, True]


async def test_somebody_else_s_login_that_is_only_asked_for_is_nobody_s(naming: Edge, pool: Pool) -> None:
    taken = person() | {"id": unique(), "employeeId": unique()}
    await naming.answer("postCreateUser", {"user": taken})
    wished = person() | {"login": taken["login"], "employeeId": unique(), "lastName": f"Fam{unique()}"}

    answer = await naming.answer("validateUser", {"user": wished})

    assert answer["data"]["login"] == f"a.{wished['lastName'].lower()}"
    assert [r["hook"] for r in await recorded(pool, taken["login"])] == ["postCreateUser"]
