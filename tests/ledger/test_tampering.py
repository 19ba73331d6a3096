"""Whoever owns the database changes it in every way one can think of; each is found, and named as what it is."""

from collections.abc import AsyncGenerator

import pytest

from ledger.leaf import COLUMNS, leaf, selected
from ledger.lines import all_lines
from ledger.note import Checkpoint, Signer
from ledger.tree import Edge, leaf_hash
from tests.conftest import TEMPLATE
from tests.ledger.sealing import SEALED, SIGNER, WAITING, Ledger, at, database, fill
from tests.support import Servers

COLUMN_CHANGES = {
    "acting_for": "'else'",
    "activity": "'door'",
    "actor": "'else'",
    "application": "'erp'",
    "at": "at - interval '1 day'",
    "attempt": "7",
    "code_version": "'else'",
    "commitment": "sha256('else')",
    "delivery": "gen_random_uuid()",
    "hook": "'postUpdateUser'",
    "id": "9999",
    "outcome": "'done'",
    "rules_hash": "'else'",
    "seq": "seq + 1",
    "subject": "gen_random_uuid()",
    "tenant": "'else'",
    "detail": "'{\"attributes\": []}'",
}


@pytest.fixture(scope="module")
async def sealed(servers: Servers) -> AsyncGenerator[Ledger]:
    """A sealed ledger."""
    async with database(servers, TEMPLATE) as ledger:
        await fill(ledger)
        await ledger.save()
        yield ledger


@pytest.fixture
async def ledger(sealed: Ledger) -> AsyncGenerator[Ledger]:
    """As it was; the attacker's triggers are off."""
    await sealed.sql("SET session_replication_role = replica")
    yield sealed
    await sealed.restore()


async def test_nothing_is_found_in_a_ledger_that_nobody_touched(ledger: Ledger) -> None:
    verdict = await ledger.verify(await ledger.checkpoint(30), await ledger.checkpoint())

    assert verdict.findings == []
    assert (verdict.entries, verdict.size, verdict.waiting, verdict.checkpoints) == (
        SEALED,
        SEALED,
        WAITING,
        6,
    )
    assert verdict.kept == 2
    assert verdict.more == 0


@pytest.mark.parametrize("column", COLUMNS)
async def test_each_column_of_an_entry_changed(ledger: Ledger, column: str) -> None:
    await ledger.sql(f"UPDATE entries SET {column} = {COLUMN_CHANGES[column]} WHERE id = 12")

    assert await ledger.found() == ("changed", "entry 12")


async def test_an_entry_changed_and_its_hash_with_it(ledger: Ledger) -> None:
    await ledger.sql("UPDATE entries SET outcome = 'done' WHERE id = 12")
    await rehash(ledger)

    kind, row = await ledger.found() or ("", "")
    assert kind == "changed"
    assert row == "leaf 10"
    assert "leaves 10 to 19" in (await ledger.verify()).findings[0].words


async def test_history_rewritten_with_the_key(ledger: Ledger) -> None:
    kept = await ledger.checkpoint(40)
    await ledger.sql("UPDATE entries SET acting_for = 'else' WHERE id = 45")
    await rehash(ledger, SIGNER)
    assert await ledger.found(kept) is None

    await ledger.sql("UPDATE entries SET acting_for = 'else' WHERE id = 12")
    await rehash(ledger, SIGNER)
    assert await ledger.found(kept) == ("forked", "checkpoint of 40 leaves kept elsewhere")


async def test_a_key_of_somebody_else_s(ledger: Ledger) -> None:
    await ledger.sql("UPDATE entries SET acting_for = 'else' WHERE id = 12")
    await rehash(ledger, Signer(SIGNER.verifier.name, bytes(32)))

    assert await ledger.found() == ("changed", "checkpoint 1")


async def test_an_entry_deleted(ledger: Ledger) -> None:
    await ledger.sql("DELETE FROM entries WHERE id = 12")

    assert await ledger.found() == ("missing", "entry 12")


async def test_an_entry_deleted_and_its_leaf(ledger: Ledger) -> None:
    await ledger.sql("DELETE FROM entries WHERE id = 12", "DELETE FROM leaves WHERE entry = 12")

    assert await ledger.found() == ("missing", "leaf 11")


async def test_an_entry_deleted_and_the_leaves_moved_up(ledger: Ledger) -> None:
    await ledger.sql("DELETE FROM entries WHERE id = 12", "DELETE FROM leaves WHERE entry = 12")
    await ledger.sql(
        "UPDATE leaves SET number = -number WHERE number > 11",
        "UPDATE leaves SET number = -number - 1 WHERE number < 0",
    )

    assert await ledger.found() == ("missing", "leaf 11")


async def test_the_end_cut_off_but_for_the_checkpoints(ledger: Ledger) -> None:
    await ledger.sql("DELETE FROM entries WHERE id > 50", "DELETE FROM leaves WHERE entry > 50")

    assert await ledger.found() == ("missing", "leaf 50")


@pytest.mark.parametrize(
    ("table", "row"), [("entries", "entry 1"), ("leaves", "leaf 0"), ("checkpoints", "checkpoint 1")]
)
async def test_a_table_truncated(ledger: Ledger, table: str, row: str) -> None:
    await ledger.sql(f"TRUNCATE {table}")

    assert await ledger.found() == ("missing", row)


@pytest.mark.parametrize("number", [3, 6])
async def test_a_checkpoint_deleted(ledger: Ledger, number: int) -> None:
    await ledger.sql(f"DELETE FROM checkpoints WHERE number = {number}")

    assert await ledger.found() == ("missing", f"checkpoint {number}")


@pytest.mark.parametrize(
    "change",
    [
        "note = replace(note, E'\\n30\\n', E'\\n31\\n')",
        "root = sha256('else')",
        "origin = 'else'",
        "note = 'else'",
        "size = size - 1",
    ],
)
async def test_a_checkpoint_changed(ledger: Ledger, change: str) -> None:
    await ledger.sql(f"UPDATE checkpoints SET {change} WHERE number = 3")

    assert await ledger.found() == ("changed", "checkpoint 3")


@pytest.mark.parametrize(
    "change",
    [
        "hashes = sha256('else') || substr(hashes, 33)",
        "hashes = substr(hashes, 1, 32) || sha256('else')",
        "hashes = substr(hashes, 1, 20)",
        "hashes = ''",
        "leaf_version = 2",
    ],
)
async def test_a_leaf_changed(ledger: Ledger, change: str) -> None:
    await ledger.sql(f"UPDATE leaves SET {change} WHERE number = 13")

    assert await ledger.found() == ("changed", "leaf 13")


_COPIED = (
    "at, tenant, subject, delivery, seq, hook, outcome, actor, code_version, rules_hash, detail, commitment"
)
_FORGED = f"INSERT INTO entries ({_COPIED}) SELECT {_COPIED} FROM entries WHERE id = 5"


async def test_an_entry_written_past_the_queue(ledger: Ledger) -> None:
    await ledger.sql(_FORGED)

    assert await ledger.found() == ("inserted", f"entry {SEALED + WAITING + 1}")


async def test_an_entry_taken_out_of_the_queue(ledger: Ledger) -> None:
    await ledger.sql(f"DELETE FROM unsealed WHERE entry = {SEALED + 2}")

    assert await ledger.found() == ("inserted", f"entry {SEALED + 2}")


async def test_an_entry_backdated_and_left_to_be_sealed(ledger: Ledger) -> None:
    await ledger.sql(f"INSERT INTO unsealed VALUES ({SEALED + WAITING + 1})", _FORGED)
    await ledger.sql(f"UPDATE entries SET at = '{at(hours=24)}' WHERE id = {SEALED + WAITING + 1}")
    await ledger.seal()

    assert await ledger.found() == ("inserted", f"entry {SEALED + WAITING + 1}")


async def test_an_entry_put_between_the_leaves(ledger: Ledger) -> None:
    await ledger.sql("UPDATE leaves SET number = -number WHERE number > 11", _FORGED)
    await ledger.sql(
        "UPDATE leaves SET number = -number + 1 WHERE number < 0",
        f"INSERT INTO leaves VALUES (12, {SEALED + WAITING + 1}, 1, sha256('else'))",
    )
    await rehash(ledger)

    kind, _ = await ledger.found() or ("", "")
    assert kind == "inserted"


async def test_two_entries_have_changed_places(ledger: Ledger) -> None:
    await ledger.sql(
        "UPDATE entries SET id = -1 WHERE id = 12",
        "UPDATE entries SET id = 12 WHERE id = 31",
        "UPDATE entries SET id = 31 WHERE id = -1",
    )

    assert await ledger.found() == ("reordered", "entry 12")


async def test_two_leaves_name_each_other_s_entry(ledger: Ledger) -> None:
    await ledger.sql(
        "UPDATE leaves SET entry = -1 WHERE number = 11",
        "UPDATE leaves SET entry = 12 WHERE number = 30",
        "UPDATE leaves SET entry = 31 WHERE number = 11",
    )

    kind, row = await ledger.found() or ("", "")
    assert (kind, row) == ("reordered", "entry 31")


async def test_two_leaves_have_changed_places(ledger: Ledger) -> None:
    await ledger.sql(
        "UPDATE leaves SET number = -1 WHERE number = 12",
        "UPDATE leaves SET number = 12 WHERE number = 14",
        "UPDATE leaves SET number = 14 WHERE number = -1",
    )
    await rehash(ledger)

    assert await ledger.found() == ("reordered", "leaf 13")


async def test_an_older_backup_restored(ledger: Ledger) -> None:
    kept = await ledger.checkpoint()
    await cut(ledger, 30)
    assert await ledger.found() is None

    assert await ledger.found(kept) == ("restored", "checkpoint of 60 leaves kept elsewhere")


async def test_a_restored_ledger_gone_on_with(ledger: Ledger) -> None:
    kept = await ledger.checkpoint(40)
    await cut(ledger, 30)
    await ledger.sql("SET session_replication_role = origin")
    await ledger.receive(*(f"other{n}" for n in range(30)))
    assert await ledger.seal() == 60
    assert await ledger.found(await ledger.checkpoint(30)) is None

    assert await ledger.found(kept) == ("forked", "checkpoint of 40 leaves kept elsewhere")


_OF_12 = "delivery = (SELECT delivery FROM entries WHERE id = 12)"
_ID_12 = "id = (SELECT delivery FROM entries WHERE id = 12)"


@pytest.mark.parametrize("change", ["salt = sha256(salt)", "body = replace(body, 'person', 'other')"])
async def test_a_body_changed(ledger: Ledger, change: str) -> None:
    of = await ledger.root.fetchval("SELECT delivery FROM entries WHERE id = 12")
    await ledger.sql(f"UPDATE bodies SET {change} WHERE {_OF_12}")

    assert await ledger.found() == ("changed", f"body of delivery {of}")


@pytest.mark.parametrize(
    "change",
    [
        "tenant = 'else'",
        "subject = gen_random_uuid()",
        "hook = 'else'",
        "application = 'else'",
        "actor = 'else'",
        "acting_for = 'else'",
        "verdict = 'else'",
        "codes = '{EmailAlreadyExist}'",
        "rules_hash = 'else'",
        "received_at = received_at - interval '1 day'",
    ],
)
async def test_a_delivery_changed(ledger: Ledger, change: str) -> None:
    of = await ledger.root.fetchval("SELECT delivery FROM entries WHERE id = 12")
    await ledger.sql(f"UPDATE deliveries SET {change} WHERE {_ID_12}")

    findings = (await ledger.verify()).findings
    assert ("changed", f"delivery {of}") in [(f.kind, f.row) for f in findings]


async def test_a_body_committed_to_anew(ledger: Ledger) -> None:
    """With the delivery's commitment too; the entry's is sealed."""
    of = await ledger.root.fetchval("SELECT delivery FROM entries WHERE id = 12")
    await ledger.sql(
        f"UPDATE bodies SET body = '{{}}', salt = 'xxxxxxxxxxxxxxxx' WHERE {_OF_12}",
        "UPDATE deliveries SET commitment = sha256('hookledger/body/v1'::bytea || '\\x00' || 'xxxxxxxxxxxxxxxx{}')"
        f" WHERE {_ID_12}",
    )

    assert await ledger.found() == ("changed", f"delivery {of}")


async def test_an_erased_body_is_no_tampering(ledger: Ledger) -> None:
    await ledger.sql(f"DELETE FROM bodies WHERE {_OF_12}")

    assert await ledger.found() is None


async def test_a_delivery_deleted(ledger: Ledger) -> None:
    await ledger.sql(f"DELETE FROM bodies WHERE {_OF_12}")
    found = await ledger.root.fetchrow(f"SELECT subject, seq FROM deliveries WHERE {_ID_12}")
    await ledger.sql(f"DELETE FROM deliveries WHERE {_ID_12}")

    assert await ledger.found() == ("missing", f"delivery {found[1]} of subject {found[0]}")


async def test_a_delivery_with_all_its_traces_removed_before_it_was_sealed(ledger: Ledger) -> None:
    """The last of its person: nothing after it has a later number."""
    await ledger.receive("newcomer", "newcomer")
    last = await ledger.root.fetchrow(
        "SELECT id, subject, seq FROM deliveries ORDER BY received_at DESC LIMIT 1"
    )
    await ledger.sql(
        f"DELETE FROM unsealed WHERE entry IN (SELECT id FROM entries WHERE delivery = '{last[0]}')",
        f"DELETE FROM entries WHERE delivery = '{last[0]}'",
        f"DELETE FROM bodies WHERE delivery = '{last[0]}'",
        f"DELETE FROM deliveries WHERE id = '{last[0]}'",
    )

    assert await ledger.found() == ("missing", f"delivery {last[2]} of subject {last[1]}")


async def test_an_entry_deleted_before_it_was_sealed(ledger: Ledger) -> None:
    await ledger.sql(f"DELETE FROM entries WHERE id = {SEALED + 1}")

    assert await ledger.found() == ("missing", f"entry {SEALED + 1}")


async def test_a_sealed_entry_queued_again(ledger: Ledger) -> None:
    await ledger.sql("INSERT INTO unsealed VALUES (12)")

    assert await ledger.found() == ("inserted", "entry 12")


async def test_a_delivery_inserted(ledger: Ledger) -> None:
    columns = "tenant, hook, actor, verdict, rules_hash, commitment, received_at"
    await ledger.sql(
        f"INSERT INTO deliveries (id, {columns}) SELECT gen_random_uuid(), {columns} FROM deliveries LIMIT 1"
    )

    kind, row = await ledger.found() or ("", "")
    assert kind == "inserted"
    assert row.startswith("delivery ")


async def test_what_came_after_a_kept_checkpoint_is_verified_alone(ledger: Ledger) -> None:
    since = await ledger.checkpoint(40)
    await ledger.sql("UPDATE entries SET outcome = 'done' WHERE id = 12")
    verdict = await ledger.verify(since=since)
    assert (verdict.entries, verdict.findings) == (20, [])

    await ledger.sql("UPDATE entries SET outcome = 'else' WHERE id = 45")
    [found] = (await ledger.verify(since=since)).findings
    assert (found.kind, found.row) == ("changed", "entry 45")


async def test_several_rows_are_all_named_in_their_order(ledger: Ledger) -> None:
    await ledger.sql(
        "UPDATE entries SET outcome = 'else' WHERE id = 52",
        "DELETE FROM entries WHERE id = 3",
        "UPDATE leaves SET hashes = sha256('else') WHERE number = 20",
    )

    found = [(f.kind, f.row) for f in (await ledger.verify()).findings][:3]
    assert found == [("missing", "entry 3"), ("changed", "leaf 20"), ("changed", "entry 52")]


async def rehash(ledger: Ledger, signer: Signer | None = None) -> None:
    """An attacker's tree: every leaf anew, in the order of numbers; with a key, every checkpoint too."""
    await ledger.sql("SET timezone = 'UTC'")
    query = (
        f"SELECT l.number, {selected('e')} FROM leaves l JOIN entries e ON e.id = l.entry ORDER BY l.number"
    )
    edge = Edge()
    for line in await all_lines(ledger.root, query):
        number, _, own = line.partition(b"\t")
        await ledger.root.execute(
            "UPDATE leaves SET hashes = $2 WHERE number = $1", int(number), edge.add(leaf_hash(leaf(own)))
        )
        if signer:
            head = Checkpoint(SIGNER.verifier.name, edge.size, edge.root())
            await ledger.root.execute(
                "UPDATE checkpoints SET root = $2, note = $3 WHERE size = $1",
                edge.size,
                head.root,
                signer.sign(head.text()),
            )


async def cut(ledger: Ledger, size: int) -> None:
    """What an older backup would hold."""
    last = await ledger.root.fetchval("SELECT max(entry) FROM leaves WHERE number < $1", size)
    await ledger.sql(
        f"DELETE FROM checkpoints WHERE size > {size}",
        f"DELETE FROM leaves WHERE number >= {size}",
        f"DELETE FROM entries WHERE id > {last}",
        "DELETE FROM unsealed",
        "DELETE FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.delivery = d.id)",
        "DELETE FROM bodies b WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE b.delivery = d.id)",
        "UPDATE subjects s SET seq = (SELECT max(seq) FROM deliveries d WHERE d.subject = s.id)",
    )
