"""Ledger search: each way to ask, the two forms of the answer, and its words for people."""

import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from ledger.receive import receive
from tests.commands.conftest import Run
from tests.commands.stored import ended
from tests.support import delivery


@pytest.fixture(autouse=True)
async def _ledger(pool: Pool, engine: AsyncEngine) -> None:
    """Two people of as100, one of as200."""
    await receive(pool, delivery("josé", "postCreateUser", platform_id="6214AB"))
    await receive(pool, delivery("josé", "postProvision", application="hr", platform_id="6214AB"))
    await ended(pool, engine, "bina", "refused", "SMTP 550")
    await receive(pool, delivery("josé", "postCreateUser", tenant="as200"))


async def _found(run: Run, *options: str) -> list[dict[str, Any]]:
    result = await run("ledger", "search", *options, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "hooks"),
    [
        ((), ["postCreateUser", "postProvision", "postCreateUser", "postCreateUser", "postCreateUser"]),
        (("--tenant", "as200"), ["postCreateUser"]),
        (("--user", "josé", "--tenant", "as100"), ["postCreateUser", "postProvision"]),
        (("--user", "JOSE\u0301", "--tenant", "as100"), ["postCreateUser", "postProvision"]),
        (("--user", "6214AB"), ["postCreateUser", "postProvision"]),
        (("--hook", "postprovision"), ["postProvision"]),
        (("--application", "hr"), ["postProvision"]),
        (("--activity", "mail"), ["postCreateUser"]),
        (("--outcome", "refused"), ["postCreateUser"]),
        (("--since", "1h", "--limit", "1"), ["postCreateUser"]),
        (("--until", "1h"), []),
        (("--since", "2026-01-01", "--until", "2026-01-02T10:00"), []),
        (("--user", "nobody"), []),
    ],
)
async def test_each_way_to_ask(run: Run, options: tuple[str, ...], hooks: list[str]) -> None:
    assert [entry["hook"] for entry in await _found(run, *options)] == hooks


async def test_a_person_is_found_by_pseudonym_and_shown_by_login(run: Run) -> None:
    [mail] = await _found(run, "--activity", "mail")

    again = await _found(run, "--user", mail["subject"])

    assert {entry["login"] for entry in again} == {"bina"}
    assert [entry["outcome"] for entry in again] == ["received", "refused"]
    assert set(mail) >= {"at", "tenant", "seq", "attempt", "actor", "code_version", "rules_hash", "detail"}


async def test_a_table_for_people(run: Run) -> None:
    screen = (await run("ledger", "search", "--user", "josé", "--tenant", "as100")).stdout

    assert "postProvision → hr" in screen
    assert screen.count("josé") == 2
    assert "tester" in screen


async def test_nothing_found_is_said_and_is_no_fault(run: Run) -> None:
    result = await run("ledger", "search", "--user", "nobody")

    assert (result.exit_code, result.stdout) == (0, "nothing found\n")


async def test_a_time_that_is_none(run: Run) -> None:
    result = await run("ledger", "search", "--until", "tomorrow")

    assert result.exit_code == 2
    assert result.stderr.startswith("--until: a time is 2026-11-25")
