"""A month over age is dropped but for what is needed; what is left of the ledger is proved as before, and nothing else may be gone."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from alembic import command

from ledger.dropped import OUTCOME
from ledger.engine import connect, connect_to_read
from ledger.migrate import configuration
from ledger.prove import prove_inclusion
from ledger.receive import Fact, Planned
from ledger.retention import Part, PutOff, count_rest, due_before, make_months, read_months, weigh
from ledger.tree import leaf_hash
from runtime.rebuild import rebuild
from settings import Store
from tests.ledger.months import (
    BEYOND,
    IN_OLD,
    OLD,
    a_past,
    count,
    drop,
    id_in,
    living_in,
    receive_in,
)
from tests.ledger.sealing import Ledger, database
from tests.ledger.sealing import connect as connect_bare
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


BADGE = Planned("badge", "badge", "{}", timedelta(0), waits=False)


async def test_a_month_is_dropped_and_the_rest_still_proved(ledger: Ledger) -> None:
    kept = await ledger.checkpoint(24)
    [gone] = await drop(ledger)

    assert (gone.tenant, gone.dropped) == ("as100", {"entries": 12, "deliveries": 12, "bodies": 12})
    assert await count(ledger, f"entries WHERE {IN_OLD}") == 0
    assert "entries_2024_03" not in {p.store + f"_{p.first:%Y_%m}" for p in await months(ledger) if p.first}
    await ledger.seal()
    verdict = await ledger.verify(kept)
    assert verdict.findings == []
    assert (verdict.size, verdict.entries, verdict.dropped) == (25, 13, 12)


async def test_the_deed_says_what_was_dropped(ledger: Ledger) -> None:
    root = (await ledger.checkpoint(24)).root
    await drop(ledger)

    [deed] = await ledger.root.fetch(
        f"SELECT e.*, e.detail::text AS told, e.detail #>> '{{checkpoint,root}}' AS root, b.body FROM entries e"
        f" JOIN bodies b ON b.delivery = e.delivery WHERE e.outcome = '{OUTCOME}'"
    )
    assert (deed["hook"], deed["actor"], deed["tenant"]) == ("operator", "tester", "as100")
    assert '"leaves": [8, 19]' in deed["told"]
    assert '"month": "2024-03"' in deed["told"]
    assert '"size": 24' in deed["told"]
    assert base64.b64decode(deed["root"]) == root
    assert "kept 365 days" in deed["body"]


async def test_until_the_deed_is_sealed_verify_says_so(ledger: Ledger) -> None:
    await drop(ledger)
    [finding] = (await ledger.verify()).findings

    assert (finding.kind, finding.row) == ("missing", "entries of 2024-03")
    assert "not sealed yet" in finding.words


async def test_what_is_needed_outlives_its_month(ledger: Ledger) -> None:
    """The last known state of somebody alive, and what unsettled work is about; once neither is, it goes too."""
    known, leaver = await receive_in(
        ledger,
        OLD,
        "known",
        "leaver",
        hook="postCreateUser",
        fact=True,
        identity=Fact("ACTIVE", left=False, archived=False, version=None, updated=None),
    )
    [busy] = await receive_in(ledger, OLD, "busy", work=[BADGE])
    await ledger.sql(f"UPDATE identities SET archived_at = clock_timestamp() WHERE delivery = '{leaver}'")
    await ledger.seal()
    [gone] = await drop(ledger)
    assert gone.dropped == {"entries": 13, "deliveries": 13, "bodies": 13}
    assert set(await ledger.root.fetchval(f"SELECT array_agg(delivery) FROM entries WHERE {IN_OLD}")) == {
        known,
        busy,
    }
    assert set(
        await ledger.root.fetchval(
            "SELECT array_agg(id) FROM deliveries WHERE id = ANY ($1)", [known, busy, leaver]
        )
    ) == {known, busy}
    assert await count(ledger, f"bodies WHERE delivery IN ('{known}', '{busy}')") == 2
    await ledger.seal()
    assert (await ledger.verify()).findings == []
    assert await drop(ledger) == []

    await ledger.sql("UPDATE work SET settled_at = clock_timestamp(), state = 'settled', outcome = 'done'")
    [gone] = await drop(ledger)
    assert gone.dropped == {"entries": 1, "deliveries": 1, "bodies": 1}
    await ledger.seal()
    assert (await ledger.verify()).findings == []


async def test_bodies_go_before_what_tells_of_them(ledger: Ledger) -> None:
    [gone] = await drop(ledger, "bodies")

    assert gone.dropped == {"bodies": 12}
    assert await count(ledger, f"entries WHERE {IN_OLD}") == 12
    assert (await ledger.verify()).findings == []
    [gone] = await drop(ledger)
    assert gone.dropped == {"entries": 12, "deliveries": 12}


async def test_what_is_left_is_behind_both_walls(ledger: Ledger) -> None:
    await receive_in(ledger, OLD, "busy", work=[BADGE])
    await ledger.seal()
    await drop(ledger)

    owner = await connect_bare(ledger.store.owner_url or "")
    app = await connect_bare(ledger.store.url)
    try:
        for table in ("entries_2024_03", "deliveries_2024_03", "entries_rest", "entries_2024_02"):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await owner.execute(f"DELETE FROM {table}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(f"SELECT 1 FROM {table}")
    finally:
        await owner.close()
        await app.close()


async def test_what_is_too_young_is_dropped_for_nobody(ledger: Ledger) -> None:
    with pytest.raises(PutOff, match="too young"):
        await drop(ledger, beyond=datetime.now(UTC).date().replace(day=1))
    app = await connect_bare(ledger.store.url)
    with pytest.raises(asyncpg.PostgresError, match="too young"):
        await app.fetch(
            "SELECT drop_month('entries', date_trunc('month', now())::date, interval '1 day', 'me', 'test')"
        )
    for attack in (
        "CREATE OR REPLACE FUNCTION legal_floor() RETURNS interval LANGUAGE sql RETURN interval '0'",
        "SELECT record_retention('as100', 'me', 'test', interval '1 day', '{}')",
        "SELECT make_month('entries', '2030-01-01')",
        "ALTER TABLE entries DETACH PARTITION entries_2024_02",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(attack)
    await app.close()


async def test_what_is_not_sealed_is_not_dropped(ledger: Ledger) -> None:
    await receive_in(ledger, OLD, "late")

    with pytest.raises(PutOff, match="not sealed"):
        await drop(ledger)
    assert await count(ledger, f"entries WHERE {IN_OLD}") == 13


async def test_who_reads_for_long_puts_it_off(ledger: Ledger) -> None:
    reader = await connect_bare(ledger.store.url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT 1 FROM entries LIMIT 1")
    with pytest.raises(PutOff, match="reading"):
        await drop(ledger)
    await transaction.rollback()
    await reader.close()

    assert await count(ledger, "pg_class WHERE relname LIKE '%_kept'") == 0
    assert await drop(ledger) != []


async def test_rebuilding_leaves_out_whose_past_was_dropped(ledger: Ledger) -> None:
    """What they have came from what is not there any more: it must not be taken from them."""
    person = await ledger.root.fetchval("SELECT id FROM subjects ORDER BY created_at LIMIT 1")
    await ledger.sql(
        "INSERT INTO entitlements (tenant, subject, application, role, state, since, opened_by)"
        f" VALUES ('as100', '{person}', 'hr', '', 'granted', '2024-03-01', gen_random_uuid())"
    )
    engine = connect(ledger.store.owner_url or "", name="test", pool_size=1, statement_timeout=30)
    async with engine.begin() as connection:
        before = await rebuild(connection, "as100", write=False, most=5, seen=lambda _at, _last: None)
    assert len(before.comparison.differences) == 1

    await drop(ledger)
    async with engine.begin() as connection:
        after = await rebuild(connection, "as100", write=True, most=5, seen=lambda _at, _last: None)
    await engine.dispose()
    assert (after.erased, after.comparison.differences, after.written) == (4, [], False)


# Those who own the database


async def dropped(ledger: Ledger) -> None:
    await drop(ledger)
    await ledger.seal()
    await ledger.sql("SET session_replication_role = replica")


async def test_a_month_dropped_by_hand(ledger: Ledger) -> None:
    await ledger.sql("DROP TABLE entries_2024_03")

    found = (await ledger.verify()).findings
    assert (found[0].kind, found[0].row) == ("missing", "entry 2024030000000009")


async def test_a_month_dropped_by_hand_beside_one_that_was_not(ledger: Ledger) -> None:
    await dropped(ledger)
    await ledger.sql(
        "DROP TABLE entries_2024_02", "DROP TABLE deliveries_2024_02", "DROP TABLE bodies_2024_02"
    )

    assert await ledger.found() == ("missing", "entry 2024020000000001")


async def test_what_outlived_its_month_deleted_by_hand(ledger: Ledger) -> None:
    await receive_in(ledger, OLD, "busy", work=[BADGE])
    await ledger.seal()
    await dropped(ledger)
    await ledger.sql(f"DELETE FROM entries WHERE {IN_OLD}")

    found = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert ("missing", "entries of 2024-03") in found


async def test_a_dropped_month_hung_in_again(ledger: Ledger) -> None:
    await ledger.sql("CREATE TABLE copied AS SELECT * FROM entries_2024_03")
    await dropped(ledger)
    await ledger.sql("INSERT INTO entries SELECT * FROM copied", "DELETE FROM unsealed")

    found = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert ("inserted", "entries of 2024-03") in found


async def test_a_dropped_month_hung_in_again_and_changed(ledger: Ledger) -> None:
    await ledger.sql("CREATE TABLE copied AS SELECT * FROM entries_2024_03")
    await dropped(ledger)
    await ledger.sql("INSERT INTO entries SELECT * FROM copied", "DELETE FROM unsealed")
    await ledger.sql("UPDATE entries SET outcome = 'else' WHERE id = 2024030000000011")

    found = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert ("changed", "entry 2024030000000011") in found


_FORGED = """
    INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, detail, commitment)
    SELECT clock_timestamp(), tenant, delivery, 'operator', 'retention dropped', actor, code_version, rules_hash, {detail}, commitment
      FROM entries WHERE outcome = 'received' ORDER BY id DESC LIMIT 1
"""


async def test_a_forged_deed_for_a_month_that_is_too_young(ledger: Ledger) -> None:
    month = await ledger.root.fetchval("SELECT max(first) FROM months WHERE first <= clock_timestamp()")
    beyond = await ledger.root.fetchval("SELECT ($1::date + interval '1 month')::date", month)
    detail = (
        f"jsonb_build_object('class', 'entries', 'beyond', '{beyond}', 'dropped', '{{\"entries\": 4}}'::jsonb,"
        f" 'entries', jsonb_build_array(first_entry('{month}'), first_entry('{beyond}')))"
    )
    await ledger.sql(_FORGED.format(detail=detail))
    await ledger.seal()
    await ledger.sql("SET session_replication_role = replica")
    await ledger.sql(
        "DELETE FROM entries WHERE id >= $1 AND outcome = 'received'".replace("$1", f"first_entry('{month}')")
    )

    found = (await ledger.verify()).findings
    assert ("missing", f"entry {month:%Y%m}0000000021") in {(f.kind, f.row) for f in found}
    assert any(f.kind == "inserted" and "too young" in f.words for f in found)


@pytest.mark.parametrize("detail", ["'{}'", "'[]'", """'{"class": "entries", "beyond": "2024-04-01"}'""",
                                    """'{"class": "entries", "beyond": "2024-04-01", "entries": [null, 9], "dropped": {}}'"""])  # fmt: skip
async def test_a_deed_that_says_nothing_accounts_for_nothing(ledger: Ledger, detail: str) -> None:
    await ledger.sql(_FORGED.format(detail=detail))
    await ledger.seal()
    await ledger.sql("DROP TABLE entries_2024_03")

    kinds = {f.kind for f in (await ledger.verify()).findings}
    assert kinds >= {"missing", "inserted"}


async def test_a_forged_deed_counts_more_than_the_month_had(ledger: Ledger) -> None:
    detail = """'{"class": "entries", "beyond": "2024-04-01", "entries": [2024030000000000, 2024040000000000], "dropped": {"entries": 13}}'"""
    await ledger.sql(_FORGED.format(detail=detail))
    await ledger.seal()
    await ledger.sql("DROP TABLE entries_2024_03")

    assert ("inserted", "entries of 2024-03") in {(f.kind, f.row) for f in (await ledger.verify()).findings}


@pytest.mark.parametrize(
    "change",
    ["SET detail = jsonb_set(detail, '{dropped,entries}', '13')", "SET at = at - interval '1 day'"],
)
async def test_a_deed_changed(ledger: Ledger, change: str) -> None:
    await dropped(ledger)
    deed = await ledger.root.fetchval(f"SELECT id FROM entries WHERE outcome = '{OUTCOME}'")
    await ledger.sql(f"UPDATE entries {change} WHERE id = {deed}")

    found = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert ("changed", f"entry {deed}") in found
    assert ("missing", "entry 2024030000000009") in found


async def test_a_deed_deleted(ledger: Ledger) -> None:
    await dropped(ledger)
    deed = await ledger.root.fetchval(f"DELETE FROM entries WHERE outcome = '{OUTCOME}' RETURNING id")

    found = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert {("missing", "entry 2024030000000009"), ("missing", f"entry {deed}")} <= found


async def test_the_hash_of_a_dropped_entry_changed(ledger: Ledger) -> None:
    await dropped(ledger)
    await ledger.sql("UPDATE leaves SET hashes = sha256('else') || substr(hashes, 33) WHERE number = 10")

    kind, _ = await ledger.found() or ("", "")
    assert kind == "changed"


async def test_a_number_given_twice(ledger: Ledger) -> None:
    """Indexes of months cannot keep it from being: whoever writes past receive()."""
    found = await ledger.root.fetchrow("SELECT subject FROM deliveries ORDER BY received_at LIMIT 1")
    columns = "tenant, subject, seq, hook, actor, verdict, rules_hash, commitment, received_at"
    await ledger.sql(
        f"INSERT INTO deliveries (id, {columns}) SELECT '{id_in(BEYOND)}', {columns} FROM deliveries"
        f" WHERE subject = '{found[0]}' AND seq = 2"
    )

    rows = {(f.kind, f.row) for f in (await ledger.verify()).findings}
    assert ("inserted", f"delivery 2 of subject {found[0]}") in rows


async def test_who_kept_a_dropped_entry_can_still_prove_it(ledger: Ledger) -> None:
    connection = await connect_to_read(ledger.store, "test", by_key=True)
    before = await prove_inclusion(connection, 2024030000000011)
    await dropped(ledger)
    after = await prove_inclusion(connection, 2024030000000011)
    await connection.close()

    assert before.leaf is not None
    assert after.leaf is None
    assert after.hash == leaf_hash(before.leaf)
    assert after.text().startswith("c2sp.org/tlog-proof@v1\nindex 10\n")


# Months to come, and numbers


async def months(ledger: Ledger) -> list[Part]:
    engine = connect(ledger.store.url, name="test", pool_size=1, statement_timeout=10)
    async with engine.begin() as connection:
        found = await read_months(connection)
    await engine.dispose()
    return found


async def test_months_are_made_ahead_once(ledger: Ledger) -> None:
    engine = connect(ledger.store.url, name="test", pool_size=1, statement_timeout=10)
    async with engine.begin() as connection:
        assert await make_months(connection, 3) == 0
        assert await make_months(connection, 5) == 6
        assert await make_months(connection, 5) == 0
    await engine.dispose()


async def test_what_came_while_its_month_lacked_moves_in(ledger: Ledger) -> None:
    last = max(p.beyond for p in await months(ledger) if p.store == "entries" and p.beyond)
    receipts = await receive_in(ledger, last, "early", "early")
    engine = connect(ledger.store.url, name="test", pool_size=1, statement_timeout=10)
    async with engine.begin() as connection:
        assert await count_rest(connection) == 4
        assert await make_months(connection, 6) > 0
        assert await count_rest(connection) == 0
        assert [(w.rows, w.kept) for w in await weigh(connection, "bodies", BEYOND)] == [(12, 0)]
    await engine.dispose()

    assert await count(ledger, f"entries_{last:%Y_%m}") == 2
    assert await count(ledger, f"bodies_{last:%Y_%m} WHERE delivery = '{receipts[0]}'") == 1
    await ledger.seal()
    assert (await ledger.verify()).findings == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata"])
async def test_an_entry_is_numbered_by_the_month_in_utc(ledger: Ledger, zone: str) -> None:
    async with living_in(ledger, OLD):
        pass  # sets the function back to its own text
    await ledger.sql(f"SET TimeZone = '{zone}'")
    made, month = await ledger.root.fetchrow(
        "SELECT next_entry() / 10000000000, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMM')::bigint"
    )

    assert made == month


async def test_nobody_but_the_store_numbers_entries(ledger: Ledger) -> None:
    app = await connect_bare(ledger.store.url)
    columns = ["id", "at", "tenant", "delivery", "hook", "outcome", "actor", "code_version", "rules_hash"]
    for attack in (
        f"INSERT INTO entries ({', '.join(columns)}) VALUES (1, now(), 'as100', gen_random_uuid(), 'a', 'b', 'c', 'd', 'e')",
        "SELECT setval('entry_numbers', 1)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(attack)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.copy_records_to_table("entries", records=[], columns=columns)
    await app.close()


def test_months_are_due_as_a_whole() -> None:
    year = timedelta(days=365)
    assert due_before(date(2026, 11, 25), year) == date(2025, 11, 1)
    assert due_before(date(2026, 11, 1), year) == date(2025, 11, 1)
    assert due_before(date(2026, 10, 31), year) == date(2025, 10, 1)


async def test_a_store_that_is_in_use_comes_into_months(servers: Servers) -> None:
    """With a delivery of a clock that is a year ahead, and entries with numbers as they were."""
    name = "before_months"
    above = await connect_bare(servers.url("postgres", "postgres"))
    await above.execute(f'CREATE DATABASE "{name}" OWNER hookledger_owner')
    root = await connect_bare(servers.url("postgres", name))
    store = Store(url=servers.url("hookledger_app", name), owner_url=servers.url("hookledger_owner", name))
    ledger = Ledger(store, root)
    try:
        config = configuration(store.owner_url or "")
        await asyncio.to_thread(command.upgrade, config, "2026_11_25_own_names")
        for login in ("a", "b", "a"):
            await ledger.receive(login, id=id_in(date(2026, 10, 1)))
        await ledger.receive("a", id=id_in(date(2028, 1, 1)))
        await ledger.seal()
        kept = await ledger.checkpoint(4)
        files = await root.fetchval("SELECT pg_relation_filenode('entries')")
        await asyncio.to_thread(command.upgrade, config, "head")

        first = await root.fetchval(
            "SELECT part FROM months WHERE store = 'entries' AND beyond IS NOT NULL ORDER BY beyond LIMIT 1"
        )
        assert await root.fetchval(f"SELECT pg_relation_filenode('{first}')") == files
        assert await root.fetchval("SELECT count_rest()") == 1
        await ledger.receive("b")
        assert await root.fetchval("SELECT max(id) % 10000000000 FROM entries") == 5
        await ledger.seal()
        assert (await ledger.verify(kept)).findings == []
    finally:
        await root.close()
        await above.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await above.close()
