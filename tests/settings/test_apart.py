"""Rules and tenants loaded by themselves: without secrets, from a file alone, each with its place."""

from pathlib import Path

import pytest

from decisions._registry import registry
from rules.compiling import check_with
from settings import ConfigError, load_rules, load_tenants, rule_places

_CONFIGURATION = """
fingerprint_key = { file = "nothing" }
[store]
url = { env = "HOOKLEDGER_TEST_NOT_SET" }
[tenants.as100.token]
keys = [{ secret = { file = "nothing" } }]
[tenants.as100.deprovision]
answer = "never"
[tenants.as100.rules]
include = ["more.toml"]
zone = "Asia/Kolkata"
tables = { ou = { rows = { Sales = "OU=Sales" } } }
[[tenants.as100.rules.validate]]
name = "first"
refuse = "false"
code = "First"
"""
_MORE = """[[validate]]
name = "second"
refuse = 'lookup("ou", user.department) == ""'
code = "Second"
"""
CHECK = check_with(registry())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration whose secrets are not there."""
    (tmp_path / "more.toml").write_text(_MORE)
    (tmp_path / "hookledger.toml").write_text(_CONFIGURATION)
    return tmp_path / "hookledger.toml"


def test_tenants_load_where_there_are_no_secrets(path: Path) -> None:
    tenant = load_tenants(path, CHECK)["as100"]

    assert [rule.name for rule in tenant.rules.validate_] == ["first", "second"]
    assert tenant.token.keys == ()


def test_their_mistakes_are_named_but_not_those_of_secrets(path: Path) -> None:
    path.write_text(
        path.read_text().replace('answer = "never"', 'answer = "nevr"').replace('"false"', "'user.x'")
    )

    with pytest.raises(ConfigError) as caught:
        load_tenants(path, CHECK)

    assert [(p.line, p.where) for p in caught.value.placed] == [
        (8, "tenants.as100.deprovision.answer"),
        (15, "tenants.as100.rules.validate[0].refuse"),
    ]


def test_each_rule_has_its_place(path: Path) -> None:
    places = rule_places(path)

    assert {name: (place.file.name, place.line) for (_, name), place in places.items()} == {
        "first": ("hookledger.toml", 13),
        "second": ("more.toml", 1),
    }


def test_a_file_of_rules_takes_the_place_of_the_tenants_own(path: Path) -> None:
    tenant = load_tenants(path, CHECK)["as100"]
    file = path.with_name("more.toml")
    file.write_text(
        'mode = "on"\ntables = { dn = { rows = { a = "b" } } }\n' + _MORE.replace('"second"', '"third"')
    )

    changed = load_rules(file, "as100", tenant, CHECK, "shadow")

    assert [rule.name for rule in changed.rules.validate_] == ["third"]
    assert (changed.rules.mode, changed.rules.zone, set(changed.rules.tables)) == (
        "on",
        "Asia/Kolkata",
        {"ou", "dn"},
    )
    assert changed.deprovision == tenant.deprovision


def test_its_mistakes_have_their_places_in_that_file(path: Path) -> None:
    tenant = load_tenants(path, CHECK)["as100"]
    file = path.with_name("more.toml")
    file.write_text('include = ["x"]\n' + _MORE.replace("department", "departmnt"))

    with pytest.raises(ConfigError) as caught:
        load_rules(file, "as100", tenant, CHECK)

    assert [(p.file, p.line, p.column, p.where) for p in caught.value.placed] == [
        (file, 1, None, "include"),
        (file, 4, 29, "validate[0].refuse"),
    ]
    assert caught.value.placed[1].source.startswith("refuse = 'lookup")
