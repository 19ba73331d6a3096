"""rules report and rules list: who would have been refused, by which rule, from which line."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from settings import Settings, Store
from tests.api.edge import Edge, listen
from tests.api.people import person
from tests.commands.conftest import Run
from tests.commands.ruled import JOINERS, with_rules
from tests.support import Servers

_MORE = """
[[validate]]
name = "broken"
mode = "shadow"
on = ["validateUser"]
refuse = 'parse_date(user.endDate) < now'
code = "Broken"
"""


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant with rules, of which one goes wrong, and a unique attribute in shadow."""
    with_rules(tmp_path, store, JOINERS + _MORE)
    path = tmp_path / "hookledger.toml"
    unique = (
        "unique = [{ attribute = 'login', form = 'login', code = 'LoginAlreadyExist' },"
        " { attribute = 'email', form = 'email', code = 'EmailAlreadyExist', mode = 'shadow' }]"
    )
    path.write_text(path.read_text().replace("[tenants.as100]\n", f"[tenants.as100]\n{unique}\n"))
    from settings import load

    return load(path)


@pytest.fixture
async def edge(settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Edge]:
    """The api with the same configuration."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(settings) as edge:
        yield edge


async def _report(run: Run, *more: str) -> dict[tuple[str, str], dict[str, Any]]:
    result = await run("rules", "report", "--json", *more)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return {(f["rule"], f["outcome"]): f for f in found}


async def test_it_counts_people_and_shows_the_newest(run: Run, edge: Edge) -> None:
    blocked = [person() | {"email": f"b{n}@blocked.example"} for n in range(7)]
    for user in (*blocked, blocked[0], person() | {"endDate": "never"}, person()):
        await edge.answer("validateUser", {"user": user})
    known = person()
    await edge.answer("postCreateUser", {"user": known})
    await edge.answer("validateUser", {"user": person() | {"email": known["email"]}})

    report = await _report(run)

    assert set(report) == {
        ("blocked-domain", "would refuse"),
        ("broken", "rule fault"),
        ("email", "would refuse"),
    }
    found = report["blocked-domain", "would refuse"]
    assert (found["times"], found["people"], found["calls"], found["mode"]) == (8, 7, 11, "shadow")
    assert [n["login"] for n in found["newest"]] == [u["login"] for u in (blocked[0], *blocked[6:2:-1])]
    assert {n["code"] for n in found["newest"]} == {"EmailDomainBlocked"}
    assert report["email", "would refuse"]["unique"] is True
    assert set(await _report(run, "--rule", "email")) == {("email", "would refuse")}
    assert await _report(run, "--since", "2100-01-01") == {}

    screen = (await run("rules", "report")).stdout
    for words in (
        "would have refused 8 of 11 validateUser, 7 people",
        "and 3 more",
        "went wrong 1",
        blocked[0]["login"],
    ):
        assert words in screen
    assert f"./hookledger why {found['newest'][0]['receipt']}" in screen
    assert "would have changed nothing: quiet of as100" in screen
    assert 'mode = "on"' in screen
    why = await run("why", found["newest"][0]["receipt"])
    assert "would refuse: blocked-domain" in why.stdout


async def test_an_unknown_rule_or_tenant_is_said_to_be(run: Run) -> None:
    for option, words in (("--rule", "no rule nothing"), ("--tenant", "no tenant nothing")):
        result = await run("rules", "report", option, "nothing")
        assert result.exit_code == 2
        assert words in result.stderr


async def test_the_list_names_each_rule_with_its_line_and_needs_no_secrets(run: Run, tmp_path: Path) -> None:
    for secret in ("webhook.key", "fingerprint.key", "store.url"):
        (tmp_path / secret).unlink()

    lines = [json.loads(line) for line in (await run("rules", "list", "--json")).stdout.splitlines()]

    found = {row["rule"]: row for row in lines}
    for name in ("display-name", "contractor-end-date", "blocked-domain", "mail", "ou"):
        file, line = found[name]["place"].rsplit(":", 1)
        text = Path(file).read_text().splitlines()
        assert text[int(line) - 1].startswith("[["), name
        assert text[int(line)] == f'name = "{name}"'
    assert found["contractor-end-date"]["when"] == 'user.userType == "Contractor"'
    assert (found["quiet"]["mode"], found["ou"]["hooks"]) == ("shadow", ["policyMap"])
    assert [row["rule"] for row in lines][:2] == ["display-name", "mail"]
    screen = (await run("rules", "list")).stdout
    assert 'refuses with EmailDomainBlocked if user.email.endsWith("@blocked.example")' in " ".join(
        screen.split()
    )
