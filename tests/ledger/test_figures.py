"""What the store says of itself, where an alert depends on it."""

import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import asyncpg
import pytest

from ledger.engine import open_pool
from ledger.figures import reached, read_figures, takes_hooks
from ledger.overview import Standing, read_standings
from ledger.visit import visit
from ledger.work import take
from tests.commands.keeping_nothing import NOT_GRANTED, READ_ONLY, close
from tests.commands.stored import planned
from tests.conftest import TEMPLATE
from tests.ledger.sealing import Ledger, database
from tests.support import Servers


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """An empty one: figures are of everything."""
    async with database(servers, TEMPLATE) as ledger:
        yield ledger


async def test_a_ledger_that_was_never_sealed_grows_old_from_its_first_entry_on(ledger: Ledger) -> None:
    """Sealing that has never worked must not look like sealing that has nothing to do."""
    assert (await read_figures(ledger.root)).checkpoint_age is None
    await ledger.receive("a", "b")
    await ledger.sql(
        "SET session_replication_role = replica",
        "UPDATE entries SET at = at - interval '1 hour' WHERE id = (SELECT min(id) FROM entries)",
    )
    waiting = await read_figures(ledger.root)
    assert waiting.unsealed == 2
    assert waiting.checkpoint_age == pytest.approx(3600, abs=60)
    await ledger.seal()
    sealed = await read_figures(ledger.root)
    assert sealed.unsealed == 0
    assert sealed.checkpoint_age == pytest.approx(0, abs=60)


_INCIDENT = (
    "INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at, probe)"
    " SELECT '{}', 'as100', 'mail', 'Unavailable', now(), now(), now(), {} FROM still LIMIT 1"
)
_STILL = {
    "a paused person": "UPDATE subjects SET paused = true WHERE id IN (SELECT id FROM still)",
    "behind a held piece": "UPDATE work SET state = 'held' WHERE subject IN (SELECT id FROM still) AND seq = 1",
    "behind a piece that is let go later": "UPDATE work SET due = now() + interval '1 h', let_go = now() + interval '1 h'"
    " WHERE subject IN (SELECT id FROM still) AND seq = 1",
    "switched off": "INSERT INTO switches (tenant, activity, mode, made_by, made_at) VALUES ('*', 'mail', 'off', 'me', now())",
    "an incident": _INCIDENT.format(uuid.uuid4(), "NULL"),
    "an incident with somebody else as its probe": _INCIDENT.format(uuid.uuid4(), "gen_random_uuid()"),
}
_RUNS = {
    "nothing": "SELECT 1",
    "an incident whose probe it is": _INCIDENT.format(uuid.uuid4(), "id"),
    "a switch of another activity": _STILL["switched off"].replace("'mail'", "'badge'"),
    "a switch that only rehearses": _STILL["switched off"].replace("'off'", "'shadow'"),
    "a switch that has ended": _STILL["switched off"]
    .replace("made_at)", "made_at, until)")
    .replace("now())", "now(), now() - interval '1 s')"),
}


async def _waits(ledger: Ledger) -> tuple[float, float]:
    """Seconds for which work waits: by the figures for metrics, and by how the tenant stands."""
    async with visit(ledger.store) as connection:
        late = (await read_standings(connection, ["as100"])).get("as100", Standing()).work.late_since
    standing = (datetime.now(UTC) - late).total_seconds() if late else 0.0
    return (await read_figures(ledger.root)).oldest, standing


async def _taken(ledger: Ledger) -> list[int]:
    """What a worker would be handed of the first person's work."""
    async with visit(ledger.store) as connection:
        subject = await ledger.root.fetchval("SELECT id FROM still")
        return [item.seq for item in await take(connection, str(subject))]


async def _due_for_long(ledger: Ledger, still: str) -> None:
    """Two pieces of one lane of a person, an hour late; then what is done to them."""
    await ledger.receive("still", "still", hook="postCreateUser", work=[planned()])
    await ledger.sql(
        "UPDATE work SET due = due - interval '1 hour'",
        "CREATE TEMPORARY TABLE still AS SELECT * FROM subjects",
        still,
    )


@pytest.mark.parametrize("still", _STILL.values(), ids=_STILL)
async def test_what_nobody_shall_do_now_does_not_wait(ledger: Ledger, still: str) -> None:
    """Else the alert comes for as long as one person is paused, and is silent about what does wait."""
    await _due_for_long(ledger, still)
    assert (await _waits(ledger), await _taken(ledger)) == ((0.0, 0.0), [])

    await ledger.receive("other", hook="postCreateUser", work=[planned("ticket")])
    await ledger.sql("UPDATE work SET due = due - interval '1 minute' WHERE activity = 'ticket'")
    assert await _waits(ledger) == pytest.approx((60, 60), abs=30)


@pytest.mark.parametrize("other", _RUNS.values(), ids=_RUNS)
async def test_what_should_have_run_waits(ledger: Ledger, other: str) -> None:
    await _due_for_long(ledger, other)
    assert await _waits(ledger) == pytest.approx((3600, 3600), abs=60)
    assert await _taken(ledger) == [1, 2]


async def test_what_is_before_a_held_piece_waits(ledger: Ledger) -> None:
    await _due_for_long(ledger, "UPDATE work SET state = 'held' WHERE seq = 2")
    assert await _waits(ledger) == pytest.approx((3600, 3600), abs=60)


async def test_a_great_deal_of_open_work_of_one_person_is_gone_through_once(ledger: Ledger) -> None:
    """A look at all earlier work for each piece would take minutes."""
    await _due_for_long(ledger, "UPDATE work SET state = 'held' WHERE seq = 1")
    await ledger.sql(
        "SET session_replication_role = replica",
        "INSERT INTO work (delivery, activity, tenant, subject, seq, hook, lane, plan, state, due)"
        " SELECT gen_random_uuid(), 'l' || n % 5, tenant, subject, n + 2, hook, 'l' || n % 5, plan, 'planned', due"
        " FROM work CROSS JOIN generate_series(1, 20000) n WHERE seq = 2",
        "UPDATE work SET state = 'held' WHERE seq BETWEEN 3 AND 7",
        "SET statement_timeout = '5s'",
    )
    assert await _waits(ledger) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("how", "raised"),
    [(READ_ONLY, asyncpg.ReadOnlySQLTransactionError), (NOT_GRANTED, asyncpg.InsufficientPrivilegeError)],
)
async def test_a_store_that_keeps_nothing_does_not_take_hooks(
    ledger: Ledger, how: str, raised: type[Exception]
) -> None:
    await close(ledger.store, how)
    pool = await open_pool(ledger.store, "test", walled=True)
    await reached(pool)
    with pytest.raises(raised):
        await takes_hooks(pool)
    await pool.close()


async def test_a_store_that_is_as_it_should_be_takes_hooks(ledger: Ledger) -> None:
    pool = await open_pool(ledger.store, "test", walled=True)
    await takes_hooks(pool)
    await pool.close()
