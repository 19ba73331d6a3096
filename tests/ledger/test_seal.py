"""Sealing beside everything else: late committers, several sealers, one that is killed, writers who never wait."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ledger.engine import open_pool
from ledger.note import Signer
from ledger.operate import Order, operate
from ledger.receive import Note, receive
from ledger.seal import Broken, count_waiting, seal, sealing
from ledger.visit import visit
from tests.conftest import TEMPLATE
from tests.ledger.sealing import SIGNER, Ledger, connect, database
from tests.ledger.test_importing import carry, write_people
from tests.support import Servers, delivery

KEYS = [SIGNER.verifier]


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """An empty one."""
    async with database(servers, TEMPLATE) as ledger:
        yield ledger


async def _numbers(ledger: Ledger) -> list[tuple[int, int]]:
    return [tuple(row) for row in await ledger.root.fetch("SELECT number, entry FROM leaves ORDER BY number")]


async def test_what_is_queued_is_sealed_in_the_order_of_ids(ledger: Ledger) -> None:
    assert await ledger.seal() == 0
    await ledger.receive("a", "b", "c")
    assert await ledger.seal(most=2) == 3

    assert await _numbers(ledger) == [(0, 1), (1, 2), (2, 3)]
    assert await ledger.root.fetchval("SELECT count(*) FROM unsealed") == 0
    heads = await ledger.root.fetch("SELECT number, size, drained FROM checkpoints ORDER BY number")
    assert [tuple(head) for head in heads] == [(1, 2, False), (2, 3, True)]
    assert (await ledger.verify()).findings == []


async def test_rows_of_copy_are_queued_too(ledger: Ledger) -> None:
    await ledger.receive("a")
    columns = "at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, commitment"
    rows = await ledger.root.fetch(f"SELECT {columns} FROM entries")
    connection = await connect(ledger.store.owner_url or "")
    await connection.copy_records_to_table("entries", records=[*rows] * 500, columns=columns.split(", "))
    await connection.close()

    assert await ledger.seal(most=10_000) == 501


async def test_an_entry_that_is_committed_late_is_sealed_next_time(ledger: Ledger) -> None:
    await ledger.receive("early")
    late = await connect(ledger.store.url)
    transaction = late.transaction()
    await transaction.start()
    columns = "at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, commitment"
    await late.execute(f"INSERT INTO entries ({columns}) SELECT {columns} FROM entries LIMIT 1")
    await ledger.receive("after")

    assert await ledger.seal() == 2
    await transaction.commit()
    await late.close()
    assert await ledger.seal() == 3
    assert await _numbers(ledger) == [(0, 1), (1, 3), (2, 2)]
    assert (await ledger.verify()).findings == []


async def test_several_sealers_seal_everything_once(ledger: Ledger) -> None:
    await ledger.receive(*(f"p{n}" for n in range(30)))

    async def sealer() -> None:
        async with sealing(ledger.store) as connection:
            for _ in range(40):
                step = await seal(connection, SIGNER, KEYS, 3)
                if step.busy:
                    await asyncio.sleep(0.002)

    await asyncio.gather(*(sealer() for _ in range(3)))
    assert [number for number, _ in await _numbers(ledger)] == list(range(30))
    assert (await ledger.verify()).findings == []


async def test_thirty_two_writers_beside_a_sealer_leave_a_clean_ledger(ledger: Ledger) -> None:
    """CASES 23: chains of hashes broke where writers raced; here they only queue."""
    pool = await open_pool(ledger.store.model_copy(update={"pool_size": 16}), "writers")
    notes = [Note("noted", "{}")] * 49

    async def writer(number: int) -> None:
        for _ in range(2):
            await receive(pool, delivery(f"writer{number}", notes=notes))

    async with sealing(ledger.store) as connection:
        writing = asyncio.gather(*(writer(n) for n in range(32)))
        while not writing.done():
            await seal(connection, SIGNER, KEYS, 100)
            await asyncio.sleep(0)
        await writing
    await pool.close()

    assert await ledger.seal(most=1000) == 32 * 100
    assert (await ledger.verify()).findings == []


async def test_a_sealer_that_dies_in_the_middle_leaves_nothing_behind(ledger: Ledger) -> None:
    await ledger.receive("a", "b")
    async with sealing(ledger.store) as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        copy = connection.copy_to_table

        async def killed(*args: Any, **kwargs: Any) -> None:
            await copy(*args, **kwargs)
            await ledger.root.execute("SELECT pg_terminate_backend($1)", pid)
            await connection.fetchval("SELECT 1")

        class Dying:
            """The connection, until the leaves are written."""

            copy_to_table = staticmethod(killed)

            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await seal(Dying(), SIGNER, KEYS)
    assert await _numbers(ledger) == []

    assert await ledger.seal() == 2
    assert (await ledger.verify()).findings == []


async def test_whoever_writes_does_not_wait_for_a_sealer(ledger: Ledger) -> None:
    await ledger.receive("a")
    async with sealing(ledger.store) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await seal(connection, SIGNER, KEYS)
        # The sealer's transaction stands open, with all its locks.
        await asyncio.wait_for(ledger.receive("a", "b"), 2)
        await transaction.commit()

    assert await ledger.seal() == 3


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM checkpoints", "do not end where"),
        (
            "UPDATE leaves SET hashes = sha256('else') || substr(hashes, 33) WHERE number = 2",
            "not of these leaves",
        ),
        ("UPDATE leaves SET hashes = substr(hashes, 1, 32) WHERE number = 1", "leaves are missing"),
        ("UPDATE checkpoints SET root = sha256('else')", "not of these leaves"),
        ("UPDATE checkpoints SET note = replace(note, E'\\n3\\n', E'\\n4\\n')", "cannot be gone on from"),
    ],
)
async def test_nothing_is_added_to_a_tree_that_was_tampered_with(
    ledger: Ledger, damage: str, words: str
) -> None:
    await ledger.receive("a", "b", "c")
    await ledger.seal()
    await ledger.sql("SET session_replication_role = replica", damage)
    await ledger.receive("d")

    with pytest.raises(Broken, match=words):
        await ledger.seal()
    async with sealing(ledger.store) as connection:
        assert await count_waiting(connection) == 1


async def test_a_new_key_goes_on_from_what_the_old_one_has_signed(ledger: Ledger) -> None:
    new = Signer(SIGNER.verifier.name, bytes(32))
    await ledger.receive("a")
    await ledger.seal()
    await ledger.receive("b")
    await ledger.seal(new)

    assert (await ledger.verify(keys=(SIGNER, new))).findings == []
    [found] = (await ledger.verify(keys=(new,))).findings
    assert (found.kind, found.row) == ("changed", "checkpoint 1")
    assert SIGNER.verifier.digest.hex() in found.words


async def test_an_entry_that_is_gone_holds_up_nobody(ledger: Ledger) -> None:
    await ledger.receive("a", "b", "c")
    await ledger.sql("SET session_replication_role = replica", "DELETE FROM entries WHERE id = 1")

    assert await ledger.seal(most=2) == 2
    assert ("missing", "entry 1") in [(f.kind, f.row) for f in (await ledger.verify()).findings]


async def test_an_entry_that_is_queued_again_holds_up_nobody(ledger: Ledger) -> None:
    await ledger.receive("a", "b")
    await ledger.seal()
    await ledger.sql("INSERT INTO unsealed VALUES (1)")
    await ledger.receive("c")

    assert await ledger.seal() == 3
    assert [(f.kind, f.row) for f in (await ledger.verify()).findings] == [("inserted", "entry 1")]


async def test_what_imports_hooks_and_operators_leave_verifies(ledger: Ledger, tmp_path: Path) -> None:
    """COPY for new people, receive() for known ones, repeats, refusals, deeds: none looks like tampering."""
    for swapped in (False, True):
        await carry(ledger.store, "as100", write_people(tmp_path / "people", "as100", swapped=swapped))
    await ledger.receive("as1001", "as1001", "newcomer", source_id=None)
    await ledger.receive("as1002", "as1002", source_id="twice")
    await ledger.receive(
        "as1003", verdict="passed", check="create", creates=True, values=[("login", "as1004")]
    )
    async with visit(ledger.store) as connection:
        subject = (
            await ledger.root.fetchval("SELECT subject FROM handles WHERE value = 'as1005' LIMIT 1")
        ).hex
        order = Order("pause", "os:tester", "why", uuid.uuid4(), "test", subject=uuid.UUID(subject))
        await operate(connection, order)
    assert await ledger.seal(most=300) > 800

    verdict = await ledger.verify()
    assert verdict.findings == []
    assert await ledger.root.fetchval("SELECT count(DISTINCT outcome) FROM entries") >= 5
