"""What the kinds of rules find, on and in shadow, and what follows."""

from typing import Any

import httpx
import pytest

from rules.consulting import consult
from rules.decision import DecisionTools
from rules.expressions import Asked
from tests.rules.policies import mistakes, opinion, policy, tenant

LEAVER = """
[[deprovision]]
name = "leaver"
remove = 'user.status == "DELETE" || (has(user.endDate) && parse_date(user.endDate) < now)'
[[deprovision]]
name = "service-accounts"
keep = 'user.userType == "Service"'
"""


@pytest.mark.parametrize(
    ("user", "removes"),
    [
        ({"status": "DELETE"}, True),
        ({"status": "ACTIVE"}, None),
        ({"endDate": "2020-01-01T00:00"}, True),
        ({"endDate": "2099-01-01T00:00"}, None),
        ({"status": "DELETE", "userType": "Service"}, False),
        ({}, None),
    ],
)
def test_deprovision_keeps_before_it_removes(user: dict[str, Any], removes: bool | None) -> None:
    assert opinion(policy(LEAVER), "runDeprovision", user).removes is removes


def test_a_rule_that_goes_wrong_removes_nothing() -> None:
    said = opinion(policy(LEAVER), "runDeprovision", {"status": "ACTIVE", "endDate": "soon"})

    assert (said.removes, said.failed) == (None, True)


def test_the_first_rule_that_refuses_gives_the_code_and_all_are_heard() -> None:
    rules = policy("""
        [[validate]]
        name = "one"
        refuse = 'true'
        code = "One"
        [[validate]]
        name = "two"
        refuse = 'true'
        code = "Two"
        [[validate]]
        name = "three"
        mode = "off"
        refuse = 'true'
        code = "Three"
    """)
    said = opinion(rules, "validateUser", {"login": "a"})

    assert said.refusal is not None
    assert said.refusal.code == "One"
    assert [(f.rule, f.verdict) for f in said.findings] == [("one", "refuses"), ("two", "refuses")]


def test_what_is_set_is_validated_and_seen_by_the_next() -> None:
    rules = policy("""
        [[enrich]]
        name = "mail"
        on = ["validateUser"]
        set = { email = 'user.login + "@example.com"' }
        [[enrich]]
        name = "cost-centre"
        on = ["validateUser"]
        set = { "attributes.costCentre" = '"CC-" + user.email' }
        [[validate]]
        name = "needs-mail"
        required = ["email"]
        code = "MailRequired"
    """)
    said = opinion(rules, "validateUser", {"login": "a", "attributes": [{"name": "x", "value": "1"}]})

    assert said.refusal is None
    assert said.user["email"] == "a@example.com"
    assert said.user["attributes"] == [
        {"name": "x", "value": "1"},
        {"name": "costCentre", "value": "CC-a@example.com"},
    ]


def test_the_user_as_sent_is_never_changed() -> None:
    user: dict[str, Any] = {"login": "a", "attributes": {"x": "1"}}
    rules = policy("""
        [[enrich]]
        name = "x"
        set = { "attributes.x" = '"2"' }
        overwrite = true
    """)
    said = opinion(rules, "preCreateUser", user)

    assert said.user["attributes"] == {"x": "2"}
    assert user == {"login": "a", "attributes": {"x": "1"}}


def test_a_shadow_notes_names_and_never_values() -> None:
    rules = policy("""
        mode = "shadow"
        [[enrich]]
        name = "mail"
        set = { email = '"private@example.com"' }
    """)
    said = opinion(rules, "preCreateUser", {"login": "a"})

    [noted] = said.noted
    assert (noted.rule, noted.attributes, noted.words) == ("mail", ("email",), "")
    assert said.user == {"login": "a"}


def test_policy_map_answers_by_target_and_application() -> None:
    rules = policy("""
        [[policy_map]]
        name = "hr-mail"
        target = "mail"
        application = "hr"
        value = '"hr@example.com"'
        [[policy_map]]
        name = "mail"
        target = "mail"
        value = 'user.email'
    """)

    def mapped(user: dict[str, Any], **request: Any) -> Any:
        return opinion(rules, "policyMap", user, **request).mapped

    assert mapped({"email": "a@x"}, targetAttribute="MAIL", applicationId="hr") == "hr@example.com"
    assert mapped({"email": "a@x"}, targetAttribute="mail") == "a@x"
    assert mapped({}, targetAttribute="mail") is None
    assert mapped({"email": "a@x"}, targetAttribute="ou") is None


def test_a_name_is_wished_with_its_count_before_the_at() -> None:
    rules = policy("""
        [[naming]]
        name = "mail"
        attribute = "email"
        ascii = true
        patterns = ['user.firstName + "@Example.com"', 'user.firstName + "." + user.lastName + "@example.com"']
    """)
    [wish] = opinion(rules, "validateUser", {"login": "a", "firstName": "Zoë", "lastName": "Rao"}).wishes

    assert [(s.before, s.after, s.normal_before, s.normal_after) for s in wish.stems] == [
        ("Zoe", "@Example.com", "zoe", "@example.com"),
        ("Zoe.Rao", "@example.com", "zoe.rao", "@example.com"),
    ]


PYTHON = """
python_timeout = 0.05
[[validate]]
name = "seats"
python = "no_seat"
code = "NoSeat"
[[validate]]
name = "fragile"
python = "breaks"
code = "Broken"
[[validate]]
name = "slow"
python = "dawdles"
code = "Slow"
[[enrich]]
name = "cost-centre"
on = ["validateUser"]
python = "cost_centre"
"""


async def test_decisions_in_python_are_bounded_and_their_errors_say_only_a_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = policy(PYTHON)
    user = {"login": "private.login", "department": "Full"}
    asked = Asked("validateUser", "as100", {"user": user}, user)
    async with httpx.AsyncClient() as http:
        said = await consult(rules.python["validateUser"], asked, DecisionTools(http), 0.05)
    found = rules.opinion(asked, said)

    verdicts = {f.rule: (f.verdict, f.words) for f in found.findings}
    assert verdicts["seats"][0] == "refuses"
    assert verdicts["fragile"] == ("fault", "raised RuntimeError")
    assert verdicts["slow"] == ("fault", "took longer than 0.05 s")
    assert found.user["attributes"] == {"costCentre": "CC-10"}
    assert "private.login" not in caplog.text


def test_mistakes_are_all_named() -> None:
    found = mistakes("""
        [[validate]]
        name = "a"
        when = 'user.logn == ""'
        python = "nowhere"
        code = "A"
        [[validate]]
        name = "b"
        pattern = { email = '[' }
        code = "B"
        [[naming]]
        name = "c"
        attribute = "employeeId"
        patterns = ['user.lastName']
    """)

    assert [(place, column) for place, _, column, _ in found] == [
        ("rules.naming.0.attribute", 0),
        ("rules.validate.0.when", 6),
        ("rules.validate.0.python", 0),
        ("rules.validate.1.pattern.email", 0),
    ]


@pytest.mark.parametrize(
    "rules",
    [
        '[[validate]]\nname = "a"\ncode = "A"',
        '[[validate]]\nname = "a"\ncode = "A"\nrefuse = "true"\nrequired = ["b"]',
        '[[validate]]\nname = "a"\ncode = "A"\nrefuse = "true"\n[[enrich]]\nname = "a"\nset = {b = "1"}',
        '[[naming]]\nname = "a"\nattribute = "login"\npatterns = ["user.lastName"]',
        'zone = "Mars"',
        'mode = "maybe"',
        "[tables]\na = {}",
    ],
)
def test_what_cannot_be_meant_is_refused(rules: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        tenant(rules)


def test_the_hash_names_what_decides_and_nothing_else() -> None:
    rules = '[[validate]]\nname = "a"\ncode = "A"\nrefuse = "true"'

    assert policy(rules).hash == policy(rules).hash
    assert policy(rules).hash != policy(rules.replace('"A"', '"B"')).hash


def test_the_text_behind_the_hash_holds_no_secret() -> None:
    platform = {"url": "https://as100.example", "token": "p" * 48}
    text = policy("", platform=platform).text

    assert tenant("", platform=platform).platform is not None
    assert "s" * 48 not in text
    assert "p" * 48 not in text
