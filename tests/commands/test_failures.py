"""Failures: what is listed, with which words, and that the printed command works."""

import json
import shlex

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from tests.commands.conftest import Run
from tests.commands.stored import ended, waiting


async def test_failed_refused_and_held_work_is_listed_with_its_last_words(
    run: Run, pool: Pool, engine: AsyncEngine
) -> None:
    failed = await ended(pool, engine, "asha", "failed")
    refused = await ended(pool, engine, "bina", "refused", "SMTP 550\nno \x1b[31msuch user")
    held = await ended(pool, engine, "chitra", "failed", "HTTP 500", held=True)
    await ended(pool, engine, "devi", "mailed")
    await waiting(pool, "esha")

    lines = (await run("failures", "--json")).stdout.splitlines()
    screen = await run("failures")

    found = [json.loads(line) for line in lines]
    assert [(f["login"], f["state"], f["delivery"]) for f in found] == [
        ("chitra", "held", str(held)),
        ("bina", "refused", str(refused)),
        ("asha", "failed", str(failed)),
    ]
    assert found[1]["fault"] == "SMTP 550\nno \x1b[31msuch user"
    assert "SMTP 550 no \ufffd[31msuch user" in screen.stdout
    assert "\x1b" not in screen.stdout
    assert "its effect may have happened" in screen.stdout
    assert f"./hookledger redrive {held} --activity mail" in screen.stdout


@pytest.mark.usefixtures("client")
async def test_the_printed_command_works_and_empties_the_list(
    run: Run, pool: Pool, engine: AsyncEngine
) -> None:
    await ended(pool, engine, "asha", "failed", "SMTP 550")
    [line] = (await run("failures", "--json")).stdout.splitlines()

    redriven = await run(*shlex.split(json.loads(line)["redrive"])[1:])

    assert redriven.exit_code == 0, redriven.output
    assert "nothing failed" in (await run("failures")).stdout
    assert (await run("failures", "--json")).stdout == ""


async def test_time_and_tenant_narrow_the_list(run: Run, pool: Pool, engine: AsyncEngine) -> None:
    await ended(pool, engine, "asha", "failed", "SMTP 550")

    assert "SMTP 550" in (await run("failures", "--since", "1h")).stdout
    assert "SMTP 550" not in (await run("failures", "--tenant", "as200")).stdout
    wrong = await run("failures", "--since", "lately")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("--since: a time is")
