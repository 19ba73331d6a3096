"""rules test: what passes, what fails and how that is shown, and that it agrees with the api."""

import json
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from settings import Settings, Store
from tests.api.edge import Edge, listen
from tests.commands.conftest import Run
from tests.commands.ruled import with_rules
from tests.support import Servers

_HEAD = """
tenant = "as100"
now = 2026-03-01T00:00:00Z
user = { login = "asha", firstName = "Asha", lastName = "Rao", userType = "Employee" }
known = [{ login = "bina", email = "Bina@example.com", mobile = "98123 45678", id = "6214a1", department = "Finance" }]
"""


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant with rules."""
    return with_rules(tmp_path, store)


async def _outcomes(
    run: Run, directory: Path, examples: str, head: str = _HEAD
) -> tuple[int, list[dict[str, Any]]]:
    path = directory / "examples.toml"
    path.write_text(head + examples)
    result = await run("rules", "test", str(path), "--json")
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def _example(name: str, hook: str, expect: str, more: str = "") -> str:
    return f'[[example]]\nname = "{name}"\nhook = "{hook}"\nexpect = {{ {expect} }}\n{more}\n'


_GOOD = [
    ("validateUser", 'refused = "EndDateRequired"', 'user = { userType = "Contractor" }'),
    ("validateUser", "passed = true", 'user = { userType = "Contractor", endDate = 2027-01-01 }'),
    (
        "validateUser",
        'refused = "EmailAlreadyExist", clashes = ["email"]',
        'user = { email = "BINA@Example.COM" }',
    ),
    ("validateUser", 'refused = "MobileAlreadyExist"', 'user = { mobile = "+91 9812345678" }'),
    ("validateUser", 'passed = true, data = { displayName = "Asha Rao", email = "asha@example.com" }', ""),
    ("validateUser", 'passed = true, would = ["blocked-domain"]', 'user = { email = "x@blocked.example" }'),
    (
        "validateUser",
        'data = { email = "asha2@example.com" }',
        'first = [{ hook = "validateUser", user = { login = "other" } }]',
    ),
    ("preCreateUser", 'data = { email = "asha@example.com" }', 'first = [{ hook = "validateUser" }]'),
    ("validateUpdateUser", 'refused = "NoMove"', 'user = { login = "BINA", department = "Sales" }'),
    ("validateUpdateUser", "passed = true", 'user = { login = "bina", department = "Finance" }'),
    (
        "validateUpdateUser",
        'refused = "NoMove"',
        'user = { department = "Sales" }\nbefore = { department = "Finance" }',
    ),
    (
        "policyMap",
        'mapped = "OU=Sales"',
        'request = { targetAttribute = "ou" }\nuser = { department = "Sales" }',
    ),
    ("runDeprovision", "deprovision = true", ""),
]


@pytest.mark.parametrize(("hook", "expect", "more"), _GOOD)
async def test_what_is_expected_is_got(run: Run, tmp_path: Path, hook: str, expect: str, more: str) -> None:
    code, [outcome] = await _outcomes(run, tmp_path, _example("one", hook, expect, more))

    assert (code, outcome["wrong"]) == (0, [])


@pytest.mark.parametrize(
    ("hook", "expect", "more", "what"),
    [
        ("validateUser", 'refused = "Other"', 'user = { userType = "Contractor" }', "refused"),
        ("validateUser", 'refused = "EndDateRequired"', "", "refused"),
        ("validateUser", "passed = true", 'user = { userType = "Contractor" }', "passed"),
        ("validateUser", "passed = false", "", "passed"),
        ("validateUser", 'data = { displayName = "Asha" }', "", "data.displayName"),
        ("validateUser", 'data = { email = "" }', "", "data.email"),
        ("validateUser", "would = []", 'user = { email = "x@blocked.example" }', "would"),
        ("validateUser", 'clashes = ["email"]', "", "clashes"),
        (
            "policyMap",
            'mapped = "OU=Finance"',
            'request = { targetAttribute = "ou" }\nuser = { department = "Sales" }',
            "mapped",
        ),
        ("runDeprovision", "deprovision = false", "", "deprovision"),
        ("policyMap", 'mapped = ""', "", "body"),
    ],
)
async def test_what_is_not_got_fails(
    run: Run, tmp_path: Path, hook: str, expect: str, more: str, what: str
) -> None:
    code, [outcome] = await _outcomes(run, tmp_path, _example("one", hook, expect, more))

    assert code == 1
    assert [wrong[0] for wrong in outcome["wrong"]] == [what]


async def test_now_is_the_files_or_the_examples(run: Run, tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text(
        "[[validate]]\nname = 'past'\nrefuse = 'parse_date(user.endDate) < now'\ncode = 'Past'\n"
    )
    head = _HEAD.replace('tenant = "as100"', 'rules = "alone.toml"')
    past = 'user = { endDate = "2026-02-28" }'
    code, outcomes = await _outcomes(
        run, tmp_path,
        _example("file", "validateUser", 'refused = "Past"', past)
        + _example("own", "validateUser", "passed = true", f"{past}\nnow = 2026-02-01T00:00:00Z"),
        head,
    )  # fmt: skip

    assert (code, [o["wrong"] for o in outcomes]) == (0, [[], []])


async def test_time_passes_between_calls(run: Run, tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text("")
    head = _HEAD.replace('tenant = "as100"', 'rules = "alone.toml"') + "[tenant]\nleavers_release_days = 30\n"
    left = 'hook = "postUpdateUser", user = { login = "bina", email = "b@example.com", status = "DELETE" }'
    examples = "".join(
        _example(
            day,
            "validateUser",
            expect,
            f'user = {{ email = "b@example.com" }}\nfirst = [{{ {left}, now = {day} }}]',
        )
        for day, expect in (
            ("2026-02-28T00:00:00Z", 'refused = "EmailAlreadyExist"'),
            ("2026-01-15T00:00:00Z", "passed = true"),
        )
    )

    code, outcomes = await _outcomes(run, tmp_path, examples, head)

    assert (code, [o["wrong"] for o in outcomes]) == (0, [[], []])


async def test_rules_stand_alone_with_settings_of_their_own_and_no_configuration(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "nothing.toml"))
    (tmp_path / "alone.toml").write_text("""
[tables]
left = { store = true }
[[validate]]
name = "full"
refuse = 'people() >= 10'
code = "LicencesUsed"
[[deprovision]]
name = "leavers"
remove = 'lookup("left", user.department) == "yes"'
""")
    head = """
rules = "alone.toml"
tables = { left = { Sales = "yes" } }
user = { login = "asha", department = "Sales", badge = 7 }
[tenant]
unique = [{ attribute = "badge", form = "text", code = "BadgeAlreadyExist" }]
"""
    code, outcomes = await _outcomes(
        run, tmp_path,
        _example("a", "validateUser", 'refused = "LicencesUsed"', "people = 10")
        + _example("b", "validateUser", "passed = true", "people = 9")
        + _example("c", "validateUser", 'refused = "BadgeAlreadyExist"', 'known = [{ login = "b", badge = "7" }]')
        + _example("d", "runDeprovision", "deprovision = true"),
        head,
    )  # fmt: skip

    assert (code, [o["wrong"] for o in outcomes]) == (0, [[]] * 4)


async def test_mode_on_judges_shadows(run: Run, tmp_path: Path) -> None:
    example = _example(
        "one", "validateUser", 'refused = "EmailDomainBlocked"', 'user = { email = "x@blocked.example" }'
    )

    assert (await _outcomes(run, tmp_path, example))[0] == 1
    assert (await _outcomes(run, tmp_path, example, _HEAD + 'mode = "on"\n'))[0] == 0


async def test_a_unique_attribute_in_shadow_would_refuse(run: Run, tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text("mode = 'shadow'\n")
    head = _HEAD.replace('tenant = "as100"', 'rules = "alone.toml"')
    example = _example(
        "one", "validateUser", 'passed = true, would = ["email"]', 'user = { email = "bina@example.com" }'
    )

    assert (await _outcomes(run, tmp_path, example, head))[0] == 0


async def test_a_rule_that_goes_wrong_fails_unless_it_is_expected(run: Run, tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text(
        "[[validate]]\nname = 'past'\nrefuse = 'parse_date(user.endDate) < now'\ncode = 'Past'\n"
    )
    head = _HEAD.replace('tenant = "as100"', 'rules = "alone.toml"')
    user = 'user = { endDate = "never" }'

    _, [outcome] = await _outcomes(run, tmp_path, _example("a", "validateUser", "passed = true", user), head)
    assert outcome["wrong"] == [["faults", [], ["past"]]]
    expected = _example("a", "validateUser", 'passed = true, faults = ["past"]', user)
    assert (await _outcomes(run, tmp_path, expected, head))[0] == 0


async def test_the_screen_shows_expected_got_and_who_said_what(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "examples.toml"
    wrong = _example("a name", "validateUser", "passed = true", 'user = { userType = "Contractor" }')
    path.write_text(_HEAD + wrong + _example("other", "validateUser", "passed = true"))

    result = await run("rules", "test", str(tmp_path / "examples.toml"))

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].endswith("examples.toml F.")
    assert any(line.startswith("a name") and line.endswith(f"{path}:6") for line in lines), lines
    for words in (
        "expected true",
        "got      refused with EndDateRequired",
        "contractor-end-date refuses: lacks endDate",
    ):
        assert words in result.stdout
    assert lines[-1].startswith("1 passed, 1 failed in ")


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (_example("a", "validateUsr", "passed = true"), "example[0].hook: is no hook; there are"),
        (
            _example("a", "validateUser", "pased = true"),
            "example[0].expect.pased: unknown key; did you mean passed?",
        ),
        (_example("a", "validateUser", ""), "expects nothing, so it could not fail"),
        ("", "example: is missing"),
    ],
)
async def test_mistakes_in_examples_are_named_with_their_line(
    run: Run, tmp_path: Path, examples: str, words: str
) -> None:
    path = tmp_path / "examples.toml"
    path.write_text(_HEAD + examples)

    result = await run("rules", "test", str(path))

    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.startswith(f"{path}:")


async def test_no_examples_are_said_to_be_none(run: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        result = await run("rules", "test", str(path))
        assert result.exit_code == 2
        assert str(path) in result.stderr


@pytest.fixture
async def edge(settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Edge]:
    """The api with the same configuration."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(settings) as edge:
        yield edge


async def test_the_examples_expect_what_the_api_answers(run: Run, edge: Edge, tmp_path: Path) -> None:
    """The same calls, once for real, and once in memory with the api's answers expected."""
    known = '{ login = "bina", email = "Bina@example.com", id = "6214a1", department = "Finance" }'
    users = [
        '{ login = "other", firstName = "Zoë", lastName = "Rao" }',
        '{ login = "asha", firstName = "Zoe", lastName = "Rao" }',
        '{ login = "other", firstName = "Zoë", lastName = "Rao" }',
        '{ login = "chitra", email = "bina@EXAMPLE.com" }',
        '{ login = "devi", firstName = "Devi", mobile = "9812345678" }',
        '{ login = "esha", email = "e@example.com", mobile = "+919812345678" }',
        '{ login = "Bina", email = "f@example.com" }',
    ]
    await edge.answer("postCreateUser", {"user": _toml(known)})
    examples = f"tenant = 'as100'\nknown = [{known}]\n"
    for place, user in enumerate(users):
        answer = await edge.answer("validateUser", {"user": _toml(user)})
        expected = (
            f'refused = "{answer["message"]}"'
            if "error" in answer
            else f"passed = true, data = {{ email = '{answer['data'].get('email', '')}' }}"
        )
        first = ", ".join(f'{{ hook = "validateUser", user = {u} }}' for u in users[:place])
        examples += _example(str(place), "validateUser", expected, f"user = {user}\nfirst = [{first}]")

    code, outcomes = await _outcomes(run, tmp_path, examples, "")

    assert [o["wrong"] for o in outcomes] == [[]] * len(users)
    assert code == 0
    assert [o["code"] for o in outcomes if o["code"]] == [
        "EmailAlreadyExist",
        "MobileAlreadyExist",
        "LoginAlreadyExist",
    ]


def _toml(table: str) -> dict[str, Any]:
    return tomllib.loads(f"user = {table}")["user"]
