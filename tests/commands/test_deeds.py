"""Redrive, skip, pause, resume, release: what changes, what is recorded, and who is rung."""

import getpass
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from dev.processes import free_port
from ledger.engine import Pool
from ledger.receive import receive
from tests.commands.conftest import Run
from tests.commands.stored import ended, probe, waiting
from tests.support import delivery, rows

OPERATOR = f"os:{getpass.getuser()}"


async def _work(pool: Pool, delivery_id: UUID) -> tuple[str, str | None]:
    [row] = await rows(pool, "SELECT state, outcome FROM work WHERE delivery = $1", delivery_id)
    return row["state"], row["outcome"]


async def _deeds(pool: Pool) -> list[dict[str, Any]]:
    """What the ledger says of operators: entries and bodies together."""
    found = await rows(
        pool,
        "SELECT e.outcome, e.activity, e.actor, e.seq, e.detail, b.body FROM entries e JOIN bodies b "
        "ON b.delivery = e.delivery WHERE e.hook = 'operator' ORDER BY e.id",
    )
    return [{**row, "body": json.loads(row["body"])["request"]} for row in found]


@pytest.mark.parametrize("held", [True, False])
async def test_redrive_runs_work_again_and_rings(
    run: Run, pool: Pool, engine: AsyncEngine, client: Client, held: bool
) -> None:
    failed = await ended(pool, engine, "asha", "failed", "SMTP 550", held=held)

    result = await run("redrive", str(failed), "--reason", "the mail server is back")

    assert result.exit_code == 0, result.output
    assert "1 piece of work to run again" in result.stdout
    assert await _work(pool, failed) == ("planned", None)
    [deed] = await _deeds(pool)
    assert (deed["outcome"], deed["activity"], deed["actor"], deed["seq"]) == ("redrive", "mail", OPERATOR, 2)
    assert deed["detail"] == {"of": str(failed), "out of order": True}
    assert deed["body"] == {"deed": "redrive", "reason": "the mail server is back", "of": str(failed)}
    [subject] = await rows(pool, "SELECT workflow_id FROM subjects")
    run_ = await client.get_workflow_handle(subject["workflow_id"]).describe()
    assert run_.status is WorkflowExecutionStatus.RUNNING
    await client.get_workflow_handle(subject["workflow_id"]).terminate()


async def test_without_temporal_the_sweep_is_promised(
    run: Run, pool: Pool, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    failed = await ended(pool, engine, "asha", "refused", "SMTP 550")

    result = await run("redrive", str(failed), "--reason", "corrected", "--actor", "asha.ops")

    assert result.exit_code == 0, result.output
    assert "the sweep will pick it up" in result.stdout
    assert await _work(pool, failed) == ("planned", None)
    assert [deed["actor"] for deed in await _deeds(pool)] == ["asha.ops"]


@pytest.mark.usefixtures("client")
async def test_what_went_well_runs_again_only_by_its_name(run: Run, pool: Pool, engine: AsyncEngine) -> None:
    done = await ended(pool, engine, "asha", "mailed")

    refused = await run("redrive", str(done), "--reason", "again")
    assert (refused.exit_code, await _work(pool, done)) == (2, ("settled", "mailed"))
    assert "nothing to redrive" in refused.stderr
    assert await _deeds(pool) == []

    named = await run("redrive", str(done), "--activity", "mail", "--reason", "they lost it")
    assert (named.exit_code, await _work(pool, done)) == (0, ("planned", None))


@pytest.mark.usefixtures("client")
async def test_skip_ends_open_work(run: Run, pool: Pool) -> None:
    open_ = await waiting(pool, "asha")

    result = await run("skip", str(open_), "--activity", "mail", "--reason", "done by hand")

    assert result.exit_code == 0, result.output
    assert await _work(pool, open_) == ("settled", "skipped")
    assert [(d["outcome"], d["body"]["reason"]) for d in await _deeds(pool)] == [("skip", "done by hand")]


@pytest.mark.usefixtures("client")
async def test_a_person_is_paused_by_any_spelling_of_the_login_and_resumed_by_id(
    run: Run, pool: Pool
) -> None:
    await receive(pool, delivery("asha", "postCreateUser", platform_id="6214AB"))

    paused = await run("pause", " ASHA", "--reason", "an audit")
    assert paused.exit_code == 0, paused.output
    assert [r["paused"] for r in await rows(pool, "SELECT paused FROM subjects")] == [True]

    resumed = await run("resume", "6214AB", "--reason", "the audit is over")
    assert resumed.exit_code == 0, resumed.output
    assert [r["paused"] for r in await rows(pool, "SELECT paused FROM subjects")] == [False]
    assert [(d["outcome"], d["activity"]) for d in await _deeds(pool)] == [("pause", None), ("resume", None)]


@pytest.mark.usefixtures("client")
async def test_a_name_of_several_people_needs_the_tenant(run: Run, pool: Pool) -> None:
    for tenant in ("as100", "as200"):
        await receive(pool, delivery("asha", "postCreateUser", tenant=tenant))

    both = await run("pause", "asha", "--reason", "an audit")
    one = await run("pause", "asha", "--tenant", "as200", "--reason", "an audit")

    assert (both.exit_code, one.exit_code) == (2, 0)
    assert "several people" in both.stderr
    paused = await rows(pool, "SELECT tenant FROM subjects WHERE paused")
    assert [row["tenant"] for row in paused] == ["as200"]


async def test_the_brake_is_released_once(run: Run, pool: Pool) -> None:
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")

    released = await run("brake", "release", "--tenant", "as100", "--reason", "a planned clean-up")
    again = await run("brake", "release", "--tenant", "as100", "--reason", "a planned clean-up")

    assert released.exit_code == 0, released.output
    [brake] = await rows(pool, "SELECT stopped_at, released_at IS NOT NULL AS released FROM brakes")
    assert brake == {"stopped_at": None, "released": True}
    assert [(d["outcome"], d["body"]["reason"]) for d in await _deeds(pool)] == [
        ("release brake", "a planned clean-up")
    ]
    assert again.exit_code == 2
    assert "is not on" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("redrive", "12", "--reason", "r"), "no receipt id"),
        (("redrive", str(uuid4()), "--reason", "r"), "no such person or delivery"),
        (("redrive", str(uuid4()), "--reason", "  "), "--reason is empty"),
        (("pause", "nobody", "--reason", "r"), "nobody is known as nobody"),
        (("brake", "release", "--tenant", "as101", "--reason", "r"), "configured are as100"),
    ],
)
async def test_what_cannot_be_done_says_why(
    run: Run, pool: Pool, arguments: tuple[str, ...], words: str
) -> None:
    await receive(pool, probe())

    result = await run(*arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert await _deeds(pool) == []
