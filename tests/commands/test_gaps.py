"""Gaps: what is listed, with which words, and what the doctor and the ledger's search say of it."""

import json
import shlex

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from settings import Settings
from tests.activities.watching import House, waiting
from tests.commands.conftest import Run

APPLICATION = "620231fee789224ec1cec3dd"


@pytest.fixture
def house(pool: Pool, engine: AsyncEngine, settings: Settings) -> House:
    """The configured tenant, whose windows are over at once."""
    return House(pool, engine, settings.tenants["as100"], tenant="as100")


async def test_open_gaps_say_what_is_missing_and_where_to_look(run: Run, house: House) -> None:
    await house.send("asha", "validateUser")
    await house.send("bina", "preCreateUser")
    await house.send("chitra", "preProvision", application=APPLICATION, work=[waiting()])
    await house.round()

    screen = await run("gaps")
    found = [json.loads(line) for line in (await run("gaps", "--json")).stdout.splitlines()]

    assert screen.exit_code == 0, screen.output
    for words in (
        f"open    preProvision → {APPLICATION} · chitra of as100 · waits since ",
        f"no postProvision has come for {APPLICATION}; one piece of work waits for it",
        "no postCreateUser has come\n",
        "neither preCreateUser nor postCreateUser has come\n",
        "lengthen validateUser in [tenants.as100.windows]",
        "External Logs",
        "./hookledger ledger search --tenant as100 --user chitra",
        "./hookledger reconcile",
    ):
        assert words in screen.stdout
    assert [(g["login"], g["hook"], g["application"], g["expected"], g["dropped"]) for g in found] == [
        ("chitra", "preProvision", APPLICATION, ["postProvision"], 1),
        ("bina", "preCreateUser", None, ["postCreateUser"], 0),
        ("asha", "validateUser", None, ["postCreateUser"], 0),
    ]
    assert found[0]["missing"] == f"no postProvision has come for {APPLICATION}"
    search = await run(*shlex.split(found[0]["next"][-1])[1:])
    assert search.exit_code == 0, search.output
    assert "unconfirmed" in search.stdout
    assert "watch" in search.stdout


async def test_all_shows_how_they_ended(run: Run, house: House) -> None:
    await house.send("asha", "preCreateUser")
    await house.round()
    await house.send("asha", "postCreateUser")
    await house.round()

    assert (await run("gaps")).stdout == "no open gaps\n"
    assert (await run("gaps", "--json")).stdout == ""
    shown = (await run("gaps", "--all")).stdout
    assert "closed  preCreateUser · asha of as100 · the fact came late, after " in shown
    [line] = (await run("gaps", "--all", "--json")).stdout.splitlines()
    assert json.loads(line)["closed_as"] == "confirmed late"
    assert "next" not in json.loads(line)


async def test_hook_time_and_tenant_narrow_the_list(run: Run, house: House) -> None:
    await house.send("asha", "preCreateUser")
    await house.send("bina", "preProvision")
    await house.round()

    async def people(*options: str) -> list[str]:
        return [
            json.loads(line)["login"] for line in (await run("gaps", "--json", *options)).stdout.splitlines()
        ]

    assert await people() == ["bina", "asha"]
    assert await people("--hook", "precreateuser") == ["asha"]
    assert await people("--since", "1h", "--limit", "1") == ["bina"]
    assert await people("--since", "2030-01-01") == []
    assert "the newest 1; --limit shows more" in (await run("gaps", "--limit", "1")).stdout
    for option, value, words in (
        ("--hook", "postCreateUser", "--hook: postCreateUser is no intention"),
        ("--since", "lately", "--since: a time is"),
        ("--tenant", "as200", "no tenant as200; configured are as100"),
    ):
        wrong = await run("gaps", option, value)
        assert wrong.exit_code == 2
        assert wrong.stderr.startswith(words)


async def test_a_login_cannot_steer_the_terminal_or_the_shell(run: Run, house: House) -> None:
    await house.send("a; rm -rf \x1b[31m", "preCreateUser")
    await house.round()
    shown = (await run("gaps")).stdout
    assert "\x1b" not in shown
    assert "--user 'a; rm -rf" in shown


@pytest.mark.usefixtures("client")
async def test_the_doctor_has_a_line_for_a_tenant_with_open_gaps(run: Run, house: House) -> None:
    before = (await run("doctor")).stdout
    assert "Brake" in before
    assert "Gaps" not in before
    await house.send("asha", "preCreateUser")
    await house.send("bina", "preCreateUser")
    await house.round()
    shown = (await run("doctor")).stdout
    assert "2 open, the oldest from" in shown
    assert "./hookledger gaps --tenant as100" in shown
    report = json.loads((await run("doctor", "--json")).stdout)
    assert report["tenants"][0]["standing"]["gaps"]["open"] == 2
