"""What is about a person under legal hold outlives every class of retention, until the hold is released."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from tests.ledger.months import BEYOND, IN_OLD, OLD, a_past, count, drop, id_in, living_in, rows_dropped
from tests.ledger.sealing import Ledger, database
from tests.support import Servers


@pytest.fixture(scope="module")
async def past(servers: Servers) -> AsyncGenerator[str]:
    """Made once."""
    async with a_past(servers) as name:
        yield name


@pytest.fixture
async def ledger(servers: Servers, past: str) -> AsyncGenerator[Ledger]:
    """For each test its own."""
    async with database(servers, past, short_ids=False) as ledger:
        yield ledger


async def place_hold(ledger: Ledger, login: str) -> UUID:
    """On everything of that person; gives who it is."""
    person = await ledger.root.fetchval("SELECT subject FROM handles WHERE value = $1", login)
    await ledger.root.execute(
        "INSERT INTO legal_holds (id, tenant, subject, placed_by, since)"
        " VALUES (gen_random_uuid(), 'as100', $1, 'tester', clock_timestamp())", person,
    )  # fmt: skip
    return person


async def release_holds(ledger: Ledger) -> None:
    await ledger.sql("UPDATE legal_holds SET released_by = 'tester', released_at = clock_timestamp()")


async def test_a_body_of_somebody_under_hold_outlives_its_month(ledger: Ledger) -> None:
    person = await place_hold(ledger, "person1")
    theirs = f"bodies WHERE delivery IN (SELECT id FROM deliveries WHERE subject = '{person}')"
    before = await count(ledger, f"{theirs} AND delivery < '{id_in(BEYOND)}'")
    [gone] = await drop(ledger, "bodies")

    assert gone.dropped == {"bodies": 9}
    assert await count(ledger, f"{theirs} AND delivery < '{id_in(BEYOND)}'") == before == 5
    assert await drop(ledger, "bodies") == []
    await release_holds(ledger)
    [gone] = await drop(ledger, "bodies")
    assert gone.dropped == {"bodies": 3}


async def test_entries_about_somebody_under_hold_outlive_their_month(ledger: Ledger) -> None:
    """Also those that are of no delivery of theirs: that somebody read about them."""
    person = await place_hold(ledger, "person1")
    async with living_in(ledger, OLD):
        await ledger.sql(
            "INSERT INTO entries (at, tenant, subject, delivery, hook, outcome, actor, code_version, rules_hash)"
            f" SELECT clock_timestamp(), 'as100', s, '{id_in(OLD)}', 'access', 'read', 'auditor', 'test', 'test'"
            f" FROM unnest(ARRAY['{person}', gen_random_uuid()]::uuid[]) AS s"
        )
    await ledger.seal()
    [gone] = await drop(ledger)

    assert gone.dropped == {"entries": 10, "deliveries": 9, "bodies": 9}
    assert await count(ledger, f"entries WHERE {IN_OLD} AND subject = '{person}'") == 4
    assert await count(ledger, f"entries WHERE {IN_OLD}") == 4
    await ledger.seal()
    assert (await ledger.verify()).findings == []


_OF = "INSERT INTO {} SELECT {} FROM subjects s JOIN handles h ON h.subject = s.id"
_ROWS = {
    "work": _OF.format(
        "work (delivery, activity, tenant, subject, seq, hook, lane, plan, state, outcome, due, settled_at)",
        f"'{id_in(OLD)}', h.value, 'as100', s.id, 1, 'postProvision', 'badge', '{{}}', 'settled', 'done', '{OLD}', '{OLD}'",
    ),
    "faults": f"INSERT INTO faults SELECT d.id, 'badge', 1, '{OLD}', 'it was down' FROM deliveries d WHERE d.id < '{id_in(BEYOND)}'",
    "gaps": _OF.format(
        "gaps (delivery, tenant, subject, seq, hook, expected, since, found_at, closed_as, closed_at)",
        f"gen_random_uuid(), 'as100', s.id, 1, 'preProvision', '{{}}', '{OLD}', '{OLD}', 'taken up', '{OLD}'",
    ),
}


@pytest.mark.parametrize(("class_", "all_", "held"), [("work", 4, 1), ("faults", 20, 5), ("gaps", 4, 1)])
async def test_rows_about_somebody_under_hold_stay(ledger: Ledger, class_: str, all_: int, held: int) -> None:
    await ledger.sql(_ROWS[class_])
    await place_hold(ledger, "person1")
    [gone] = await rows_dropped(ledger, class_)

    assert (gone.tenant, gone.dropped) == ("as100", {class_: all_ - held})
    assert await count(ledger, class_) == held
    assert await rows_dropped(ledger, class_) == []
    await release_holds(ledger)
    [gone] = await rows_dropped(ledger, class_)
    assert gone.dropped == {class_: held}


async def test_a_fault_is_held_by_its_work_when_its_delivery_is_gone(ledger: Ledger) -> None:
    await ledger.sql(
        _ROWS["work"],
        f"INSERT INTO faults SELECT delivery, activity, 1, '{OLD}', 'it was down' FROM work",
    )
    await place_hold(ledger, "person1")
    [gone] = await rows_dropped(ledger, "faults")

    assert (gone.dropped, await ledger.root.fetchval("SELECT activity FROM faults")) == (
        {"faults": 3},
        "person1",
    )


async def test_what_is_about_nobody_is_dropped_in_spite_of_holds(ledger: Ledger) -> None:
    await ledger.sql(
        f"INSERT INTO refusals VALUES ('as100', 0, '{OLD}', 'postProvision', 401, 'no token', 'words', gen_random_uuid())",
        "INSERT INTO imports (id, tenant, file_hash, mapping_hash, actor, started_at, finished_at)"
        f" VALUES (gen_random_uuid(), 'as100', 'a', 'b', 'tester', '{OLD}', '{OLD}')",
        "INSERT INTO import_findings SELECT id, 3, 'kind', 'mobile', '' FROM imports",
    )
    await place_hold(ledger, "person1")

    assert [gone.dropped for gone in await rows_dropped(ledger, "refusals")] == [{"refusals": 1}]
    assert [gone.dropped for gone in await rows_dropped(ledger, "imports")] == [{"imports": 1}]
    assert await count(ledger, "import_findings") == 0
