"""Expressions: what they give, what they say nothing about, and how their mistakes read."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.compiling import HOOKS
from rules.expressions import Asked, Dialect, Nothing, Wrong

USER = {
    "login": "asha.rao",
    "firstName": "José",
    "lastName": "O'Brien Łuk",
    "mobile": "98765 43210",
    "employeeId": 4711,
    "endDate": "2027-03-31T00:00",
    "department": "Finance",
    "middleName": None,
    "assignedGroups": ["g1"],
    "attributes": {"costCentre": "CC-10"},
    "badge": 7.5,
}


@pytest.fixture
def dialect() -> Dialect:
    """One with a table, a custom attribute, and India's zone."""
    return Dialect(
        region="IN",
        zone=ZoneInfo("Asia/Kolkata"),
        custom=("badge",),
        tables={"ou": {"Finance": "OU=Fin"}},
        hooks=HOOKS,
    )


def _value(
    dialect: Dialect, text: str, before: dict[str, Any] | None = None, hook: str = "validateUser"
) -> Any:
    return dialect.compile(text, (hook,), "any").value(Asked(hook, "as100", {"user": USER}, USER, before))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lower(user.firstName)", "josé"),
        ("transliterate(user.firstName)", "Jose"),
        ("slug(user.lastName)", "o-brien-luk"),
        ('slug(user.lastName, "")', "obrienluk"),
        ("digits(user.mobile)", "9876543210"),
        ("e164(user.mobile)", "+919876543210"),
        ('e164("020 7946 0958", "GB")', "+442079460958"),
        ("digits(user.employeeId)", "4711"),
        ("parse_date(user.endDate)", "2027-03-31T00:00"),
        ('format_date(parse_date(user.endDate), "%d-%b-%Y")', "31-Mar-2027"),
        ('parse_date("31-03-2027", "%d-%m-%Y") == parse_date(user.endDate)', True),
        ("parse_date(user.endDate) > now", True),
        ('lookup("ou", user.department)', "OU=Fin"),
        ('lookup("ou", "Sales", "OU=Other")', "OU=Other"),
        ('user.attributes.costCentre == "CC-10"', True),
        ("has(user.middleName) || has(user.email)", False),
        ('user.?email.orValue("none")', "none"),
        ('"g1" in user.assignedGroups', True),
        ("tenant + hook", "as100validateUser"),
        ("people() + holders('a')", 0),
    ],
)
def test_what_an_expression_gives(dialect: Dialect, text: str, value: Any) -> None:
    assert _value(dialect, text) == value


@pytest.mark.parametrize(
    ("text", "words", "fault"),
    [
        ('user.email == "a"', "email is absent", False),
        ('user.middleName == "a"', "middleName is absent", False),
        ('lookup("ou", "Sales")', "something is absent", False),
        ('parse_date("")', "something is absent", False),
        ('user.badge.startsWith("x")', "cannot (double).startsWith(string)", True),
        ("parse_date(user.login)", "invalid argument", True),
    ],
)
def test_what_an_expression_says_nothing_about(
    dialect: Dialect, text: str, words: str, *, fault: bool
) -> None:
    with pytest.raises(Nothing) as nothing:
        _value(dialect, text)
    assert nothing.value.fault is fault
    if words != "invalid argument":
        assert nothing.value.words == words
    assert "asha.rao" not in nothing.value.words


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        (None, False),
        ({"department": "Finance"}, False),
        ({"department": "Sales"}, True),
        ({}, True),
    ],
)
def test_changed_compares_with_what_was_known(
    dialect: Dialect, before: dict[str, Any] | None, *, changed: bool
) -> None:
    assert _value(dialect, 'changed("department")', before, "validateUpdateUser") is changed
    assert _value(dialect, 'changed("middleName")', before, "validateUpdateUser") is False


@pytest.mark.parametrize(
    ("text", "reads"), [('changed("a")', True), ("before.login", True), ("user.login", False)]
)
def test_it_is_known_which_expressions_need_the_store(dialect: Dialect, text: str, *, reads: bool) -> None:
    assert dialect.compile(text, ("validateUpdateUser",), "any").reads_before is reads


@pytest.mark.parametrize(
    ("text", "result", "place", "words"),
    [
        ('user.usertype == "x"', "bool", (1, 6), "a user has no attribute usertype; did you mean userType?"),
        ("user.zzzzzz == 1", "bool", (1, 6), "add it to attributes"),
        ("user.login +", "any", (1, 13), "did not expect the end"),
        ("user.login + 1", "any", (1, 12), "does not go with"),
        ("user.endDate == null", "bool", (1, 14), "use has(…)"),
        ("user.login", "bool", (1, 1), "must give true or false, and gives string"),
        ("[1]", "text", (1, 1), "must give text"),
        (
            'request.applicationId == "x"',
            "bool",
            (1, 9),
            "validateUser sends no applicationId; it sends user",
        ),
        ("lowr(user.login)", "text", (1, 5), "did you mean lower?"),
        ('lookup("uo", user.login)', "text", (1, 9), "there is no table uo; tables are ou"),
        ('true &&\n  user.logn == ""', "bool", (2, 8), "did you mean login?"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    dialect: Dialect, text: str, result: Any, place: tuple[int, int], words: str
) -> None:
    with pytest.raises(Wrong) as wrong:
        dialect.compile(text, ("validateUser",), result)
    line, column, said = wrong.value.found[0]
    assert (line, column) == place
    assert words in said


def test_every_mistake_of_an_expression_is_named(dialect: Dialect) -> None:
    with pytest.raises(Wrong) as wrong:
        dialect.compile('user.logn == "" && lookup("uo", user.lastNam) == ""', ("validateUser",), "bool")
    assert [column for _, column, _ in wrong.value.found] == [6, 28, 38]


def test_custom_attributes_are_known_and_others_of_both_spellings(
    dialect: Dialect, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _value(dialect, "user.badge") == 7.5
    dialect.compile("user.end_date == user.endDate", ("validateUser",), "bool")
    assert capfd.readouterr().err == ""
