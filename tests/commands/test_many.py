"""Redriving by a filter, and deeds that another person approves: what is counted is what is done, by two people."""

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from settings import ConfigError, Settings, Store, load
from tests.commands.conftest import Run
from tests.commands.stored import ended
from tests.ledger.sealing import connect
from tests.support import rows, write_configuration

FOUR_EYES = 'four_eyes = ["bulk redrive", "brake release"]'


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """Without four eyes, until a test wants them."""
    return write_configuration(tmp_path, store)


def want_four_eyes(place: Path) -> None:
    """From now on."""
    file = place / "hookledger.toml"
    file.write_text(file.read_text().replace("[tenants.as100]\n", f"[tenants.as100]\n{FOUR_EYES}\n", 1))


async def states(pool: Pool) -> list[str]:
    """What became of everybody's mail."""
    found = await rows(pool, "SELECT coalesce(outcome, state) AS s FROM work ORDER BY delivery")
    return sorted(row["s"] for row in found)


async def deeds(pool: Pool) -> list[dict[str, Any]]:
    """What the ledger says of operators, with the erasable reason."""
    found = await rows(
        pool,
        "SELECT e.outcome, e.actor, e.detail, b.body FROM entries e JOIN bodies b ON b.delivery = e.delivery "
        "WHERE e.hook = 'operator' ORDER BY e.id",
    )
    return [{**row, "reason": json.loads(row["body"])["request"]["reason"]} for row in found]


@pytest.fixture
async def failed(pool: Pool, engine: AsyncEngine) -> list[UUID]:
    """Two failed, one refused, one held, one that went well."""
    ends = (("asha", "failed"), ("ravi", "failed"), ("mira", "refused"), ("tom", "failed"), ("lee", "mailed"))
    return [await ended(pool, engine, login, outcome, held=login == "tom") for login, outcome in ends]


@pytest.mark.usefixtures("client", "failed")
async def test_it_is_counted_first_and_done_with_yes(run: Run, pool: Pool) -> None:
    before = await states(pool)
    shown = await run("redrive-all")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.split() == [
        "4",
        "mail",
        "4",
        "in",
        "all;",
        "--yes",
        "--reason",
        '"…"',
        "redrives",
        "them",
    ]
    assert await states(pool) == before

    told = json.loads((await run("redrive-all", "--state", "failed", "--json")).stdout)
    assert told == {"counted": 2, "activities": {"mail": 2}}
    done = await run(
        "redrive-all", "--state", "failed", "--yes", "--reason", "the server is back", "--actor", "a"
    )
    assert done.exit_code == 0, done.output
    assert "2 pieces of work of 2 people to run again" in done.stdout
    assert await states(pool) == ["failed", "mailed", "planned", "planned", "refused"]
    assert [(d["outcome"], d["actor"], d["reason"], d["detail"]["of many"]) for d in await deeds(pool)] == [
        ("redrive", "a", "the server is back", 2)
    ] * 2


@pytest.mark.usefixtures("client", "failed")
async def test_at_a_rate_each_is_due_after_the_other(run: Run, pool: Pool) -> None:
    wrong = await run("redrive-all", "--rate", "fast", "--yes", "--reason", "slowly")
    assert (wrong.exit_code, "--rate" in wrong.output) == (2, True)
    done = await run("redrive-all", "--rate", "0.5/s", "--yes", "--reason", "slowly")
    assert done.exit_code == 0, done.output

    due = await rows(
        pool, "SELECT extract(epoch FROM due)::float8 AS at FROM work WHERE state = 'planned' ORDER BY due"
    )
    pauses = [b["at"] - a["at"] for a, b in pairwise(due)]
    assert len(pauses) == 3
    assert all(1.5 < pause < 2.5 for pause in pauses), pauses


@pytest.mark.usefixtures("client", "failed")
@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (("--activity", "mail"), 4),
        (("--activity", "notify"), 0),
        (("--hook", "postCreateUser", "--since", "1h"), 4),
        (("--hook", "preCreateUser"), 0),
        (("--application", "hr"), 0),
        (("--until", "1h"), 0),
        (("--state", "held", "--state", "refused"), 2),
    ],
)
async def test_each_part_of_the_filter_counts(run: Run, filter_: tuple[str, ...], found: int) -> None:
    told = json.loads((await run("redrive-all", *filter_, "--json")).stdout)
    assert told["counted"] == found


@pytest.mark.usefixtures("client", "failed")
async def test_with_four_eyes_another_person_approves(run: Run, pool: Pool, tmp_path: Path) -> None:
    want_four_eyes(tmp_path)
    asked = await run(
        "redrive-all", "--state", "failed", "--yes", "--reason", "back", "--actor", "asha", "--json"
    )
    assert asked.exit_code == 0, asked.output
    id_ = json.loads(asked.stdout)["requested"]
    assert "planned" not in await states(pool)
    listed = [json.loads(line) for line in (await run("requests", "--json")).stdout.splitlines()]
    assert [(r["id"], r["deed"], r["counted"], r["maker"], r["reason"]) for r in listed] == [
        (id_, "bulk redrive", 2, "asha", "back")
    ]
    assert id_ in (await run("requests")).stdout

    own = await run("approve", id_, "--reason", "sure", "--actor", "asha")
    assert (own.exit_code, "another person must" in own.stderr) == (2, True)
    assert "planned" not in await states(pool)
    done = await run("approve", id_, "--reason", "looked at", "--actor", "ravi")
    assert done.exit_code == 0, done.output
    assert await states(pool) == ["failed", "mailed", "planned", "planned", "refused"]
    again = await run("approve", id_, "--reason", "twice", "--actor", "mira")
    assert (again.exit_code, "no such request" in again.stderr) == (2, True)
    requested, approved, *redriven = await deeds(pool)
    assert (requested["outcome"], requested["actor"], requested["detail"]["counted"]) == (
        "requested",
        "asha",
        2,
    )
    assert (approved["outcome"], approved["actor"], approved["reason"]) == ("approved", "ravi", "looked at")
    assert approved["detail"]["request"] == id_
    assert [(d["actor"], d["detail"]["approved by"], d["reason"]) for d in redriven] == [
        ("asha", "ravi", "back")
    ] * 2


@pytest.mark.usefixtures("client", "failed")
async def test_more_than_was_counted_is_refused(
    run: Run, pool: Pool, engine: AsyncEngine, tmp_path: Path
) -> None:
    want_four_eyes(tmp_path)
    asked = await run(
        "redrive-all", "--state", "failed", "--yes", "--reason", "back", "--actor", "asha", "--json"
    )
    id_ = json.loads(asked.stdout)["requested"]
    await ended(pool, engine, "late", "failed")

    refused = await run("approve", id_, "--reason", "looked at", "--actor", "ravi")

    assert refused.exit_code == 2
    assert "2 were counted, and there are more now: count again" in refused.stderr
    assert "planned" not in await states(pool)
    assert [d["outcome"] for d in await deeds(pool)] == ["requested"], "it is not approved either"
    rejected = await run("reject", id_, "--reason", "count again", "--actor", "ravi")
    assert rejected.exit_code == 0, rejected.output
    assert (await run("requests")).stdout == "nothing waits for another person\n"


@pytest.mark.usefixtures("client", "failed")
async def test_a_request_ends_and_cannot_be_changed(
    run: Run, pool: Pool, store: Store, tmp_path: Path
) -> None:
    want_four_eyes(tmp_path)
    ids: list[str] = []
    for _ in range(2):
        asked = await run(
            "redrive-all", "--state", "failed", "--yes", "--reason", "b", "--actor", "asha", "--json"
        )
        ids.append(json.loads(asked.stdout)["requested"])

    owner = await connect(store.owner_url or "")
    wider = (
        "UPDATE deed_requests SET parameters = jsonb_set(parameters, '{states}', '[\"held\"]') WHERE id = $1"
    )
    await owner.execute(wider, UUID(ids[0]))
    await owner.execute(
        "UPDATE deed_requests SET expires_at = now() - $2::interval WHERE id = $1",
        UUID(ids[1]),
        timedelta(seconds=1),
    )
    await owner.close()

    changed = await run("approve", ids[0], "--reason", "r", "--actor", "ravi")
    late = await run("approve", ids[1], "--reason", "r", "--actor", "ravi")
    nobody = await run("approve", str(uuid4()), "--reason", "r")

    assert "its parameters were changed" in changed.stderr
    assert "no such request" in late.stderr
    assert (changed.exit_code, late.exit_code, nobody.exit_code) == (2, 2, 2)
    assert "planned" not in await states(pool)


async def test_the_brake_with_four_eyes(run: Run, pool: Pool, tmp_path: Path) -> None:
    want_four_eyes(tmp_path)
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")
    asked = await run("brake", "release", "--tenant", "as100", "--reason", "planned", "--actor", "asha")
    assert asked.exit_code == 0, asked.output
    [waits] = [json.loads(line) for line in (await run("requests", "--json")).stdout.splitlines()]
    assert await pool.fetchval("SELECT stopped_at IS NOT NULL FROM brakes")

    done = await run("approve", waits["id"], "--reason", "it was", "--actor", "ravi")

    assert done.exit_code == 0, done.output
    assert not await pool.fetchval("SELECT stopped_at IS NOT NULL FROM brakes")
    assert [(d["outcome"], d["actor"]) for d in await deeds(pool)] == [
        ("requested", "asha"), ("approved", "ravi"), ("release brake", "asha"),
    ]  # fmt: skip


def test_what_may_want_four_eyes_is_checked(settings: Settings, tmp_path: Path) -> None:
    assert settings.tenants["as100"].four_eyes == ()
    file = tmp_path / "hookledger.toml"
    file.write_text(
        file.read_text().replace("[tenants.as100]\n", '[tenants.as100]\nfour_eyes = ["skip"]\n', 1)
    )
    with pytest.raises(ConfigError, match="four_eyes"):
        load(file)
