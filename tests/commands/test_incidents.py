"""`incidents`: what a dead target did to many people is seen as one, and run again at a rate by one command."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from ledger.figures import read_figures
from ledger.plan import Ref
from ledger.work import Ending, claim, settle
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.commands.stored import waiting
from tests.support import rows, write_configuration

WHY = ("--reason", "the server is back", "--actor", "asha.ops")
CAUSE = "Unavailable:ConnectionRefusedError"
INCIDENT = uuid.UUID("01a20000-0000-7000-8000-000000000001")


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """One tenant."""
    return write_configuration(tmp_path, store)


async def gave_up(pool: Pool, engine: AsyncEngine, login: str, cause: str) -> None:
    """Somebody whose mail failed for good."""
    ref = Ref(str(await waiting(pool, login)), "mail")
    async with engine.begin() as connection:
        await claim(connection, [ref], lease=30)
        await settle(connection, [Ending(ref, 1, "failed", fault="x", cause=cause)], "test")


@pytest.fixture
async def incident(pool: Pool, engine: AsyncEngine) -> None:
    """An open one: two people wait, three gave up for its cause, one for another."""
    await pool.execute(
        "INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at) "
        "VALUES ($1, 'as100', 'mail', $2, now() - interval '1 minute', now(), now())",
        INCIDENT,
        CAUSE,
    )
    for login in ("ravi", "mira"):
        await waiting(pool, login)
    await pool.execute("UPDATE incidents SET closed_at = now()")
    for login in ("asha", "tom", "lee"):
        await gave_up(pool, engine, login, CAUSE)
    await gave_up(pool, engine, "kim", "Unavailable:SMTP 421")
    await pool.execute("UPDATE incidents SET closed_at = NULL")


async def shown(run: Run, *words: str) -> Any:
    """What a command says to programs."""
    result = await run("incidents", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("incident")
async def test_it_is_listed_shown_and_counted(run: Run, pool: Pool) -> None:
    [listed] = [await shown(run, "list")]
    assert (listed["activity"], listed["cause"]) == ("mail", CAUSE)
    assert (listed["users"], listed["held"], listed["failed"], listed["closed_at"]) == (2, 2, 3, None)
    assert await shown(run, "show", str(INCIDENT)) == listed
    words = (await run("incidents", "show", str(INCIDENT))).stdout
    assert "mail of as100" in words
    assert "incidents redrive" in words
    listing = (await run("incidents", "list")).stdout
    assert f"mail of as100: {CAUSE}\n" in listing
    assert "2 people; 2 held; 3 gave up" in listing
    assert f"{INCIDENT}\n" in listing, "to be copied"
    figures = await read_figures(pool)
    assert figures.incidents == (("as100", "mail", 1),)


@pytest.mark.usefixtures("incident", "client")
async def test_one_redrive_closes_it_and_runs_its_cause_again_at_the_rate(run: Run, pool: Pool) -> None:
    done = await shown(run, "redrive", str(INCIDENT), "--rate", "2/s", *WHY)
    assert done["pieces"] == 3
    assert "over" in (listing := (await run("incidents", "list", "--closed")).stdout)
    assert "2 let go" in listing
    state = await rows(
        pool,
        "SELECT h.value AS login, w.state, w.outcome, w.let_go IS NOT NULL AS late, "
        "extract(epoch FROM w.let_go - min(w.let_go) OVER ())::float8 AS after "
        "FROM work w JOIN handles h ON h.subject = w.subject ORDER BY w.let_go, h.value",
    )
    by_login = {row["login"]: row for row in state}
    assert by_login["kim"]["outcome"] == "failed", "another cause"
    assert {by_login[name]["state"] for name in ("asha", "tom", "lee", "ravi", "mira")} == {"planned"}
    afters = sorted(by_login[name]["after"] or 0.0 for name in ("asha", "tom", "lee"))
    assert afters[-1] - afters[0] >= 0.4, "spread"
    assert (await read_figures(pool)).incidents == ()
    deeds = await rows(pool, "SELECT outcome, actor FROM entries WHERE hook = 'operator' ORDER BY id")
    assert [d["outcome"] for d in deeds] == ["incident closed", "redrive", "redrive", "redrive"]
    assert {d["actor"] for d in deeds} == {"asha.ops"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "nonsense"), "no id of an incident"),
        (("show", str(uuid.uuid4())), "no such incident"),
        (("redrive", str(INCIDENT), "--rate", "fast", *WHY), "--rate"),
    ],
)
@pytest.mark.usefixtures("settings")
async def test_mistakes_are_said(run: Run, words: tuple[str, ...], says: str) -> None:
    result = await run("incidents", *words)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.usefixtures("settings")
async def test_none_is_said(run: Run) -> None:
    assert "no incident is open" in (await run("incidents", "list")).stdout
