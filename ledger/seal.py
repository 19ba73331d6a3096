"""Seals what is queued: gives leaf numbers, extends the tree, signs its head; one transaction, one sealer at a time."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from struct import Struct
from typing import Any

import asyncpg

from ledger.copying import binary
from ledger.engine import StoreErrors, connect_to_read
from ledger.leaf import GONE, VERSION, leaf, selected
from ledger.lines import read_lines
from ledger.note import Checkpoint, NoteError, Signer, VerifierKey, line_of, open_checkpoint
from ledger.tree import Edge, completed_by, hash_in, leaf_hash, nodes_of
from ledger.visit import OutOfReach, why
from settings import Store

SEALERS_LOCK = 0x486F6F73
"""Advisory lock: one sealer at a time, however many workers. Nobody who writes entries takes it."""
MOST = 10_000
"""Entries of one step, and so of one checkpoint."""


class Broken(Exception):
    """What is sealed does not fit together any more: nothing is added to it. The text says what does not fit."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint as it is stored."""

    number: int
    checkpoint: Checkpoint
    note: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `full`: there may be more. `head` is None while nothing has ever been sealed."""

    sealed: int
    head: Head | None
    full: bool
    busy: bool = False
    """Another sealer is at it: nothing was done."""


# Committed rows only, so an entry of a transaction that is still open waits for the next step.
_TAKE = f"""
    WITH taken AS (
        DELETE FROM unsealed WHERE ctid = ANY (ARRAY(SELECT ctid FROM unsealed LIMIT $1)) RETURNING entry
    )
    SELECT taken.entry, {selected("e")} FROM taken LEFT JOIN entries e ON e.id = taken.entry ORDER BY taken.entry
"""
# The same where the queue was tampered with: an entry that is gone, or sealed already, stays in it.
# ./hookledger ledger verify tells of it.
_TAKE_CAREFULLY = f"""
    WITH taken AS (
        DELETE FROM unsealed WHERE ctid = ANY (ARRAY(
            SELECT u.ctid FROM unsealed u
             WHERE EXISTS (SELECT 1 FROM entries e WHERE e.id = u.entry)
               AND NOT EXISTS (SELECT 1 FROM leaves l WHERE l.entry = u.entry) LIMIT $1))
        RETURNING entry
    ), once AS (
        SELECT DISTINCT entry FROM taken
    )
    SELECT once.entry, {selected("e")} FROM once JOIN entries e ON e.id = once.entry ORDER BY once.entry
"""
_HEAD = "SELECT number, origin, size, root, note FROM checkpoints ORDER BY number DESC LIMIT 1"
_END = "SELECT coalesce(max(number) + 1, 0) FROM leaves"
KEPT = "SELECT number, hashes FROM leaves WHERE number = ANY ($1::bigint[])"
_CHECKPOINT = """
    INSERT INTO checkpoints (number, origin, size, root, note, drained, at) VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
"""
_WAITING = "SELECT count(*) FROM (SELECT 1 FROM unsealed LIMIT $1) AS queued"


@asynccontextmanager
async def sealing(store: Store) -> AsyncGenerator[Any]:
    """A connection to seal on. Raises OutOfReach."""
    connection = None
    try:
        connection = await connect_to_read(store, "hookledger seal", by_key=True)
        yield connection
    except StoreErrors as wrong:
        raise OutOfReach(f"the store {why(wrong)}") from None
    finally:
        if connection is not None:
            await connection.close()


async def seal(connection: Any, signer: Signer, keys: Iterable[VerifierKey], most: int = MOST) -> Step:
    """Seals at most so many entries, in a transaction of its own. Raises Broken."""
    keys = list(keys)
    try:
        return await _step(connection, signer, keys, most, _TAKE)
    except (_Gone, asyncpg.UniqueViolationError):
        return await _step(connection, signer, keys, most, _TAKE_CAREFULLY)


class _Gone(Exception):
    """An entry that is queued is not there."""


async def _step(
    connection: Any, signer: Signer, keys: Sequence[VerifierKey], most: int, statement: str
) -> Step:
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", SEALERS_LOCK):
            return Step(0, None, full=False, busy=True)
        head = await read_head(connection)
        edge = await trusted_edge(connection, head, keys)
        begin = edge.size
        rows = await _leaf_rows(connection, statement, most, edge)
        count = edge.size - begin
        if not count:
            return Step(0, head, full=False)
        columns = ("number", "entry", "leaf_version", "hashes")
        await connection.copy_to_table("leaves", source=rows, columns=columns, format="binary")
        full = count >= most
        signer = under(signer, head)
        checkpoint = Checkpoint(signer.verifier.name, edge.size, edge.root())
        new = Head(head.number + 1 if head else 1, checkpoint, signer.sign(checkpoint.text()))
        drained = not full or not await count_waiting(connection, 1)
        await write_head(connection, new, drained=drained)
    return Step(count, new, full)


def under(signer: Signer, head: Head | None) -> Signer:
    """The signer under the name of the line that a restore began, if one did."""
    origin = head.checkpoint.origin if head else ""
    return signer.named(origin) if line_of(origin) == signer.verifier.name else signer


async def write_head(connection: Any, head: Head, *, drained: bool) -> None:
    """Makes it the newest checkpoint."""
    said = head.checkpoint.origin, head.checkpoint.size, head.checkpoint.root, head.note, drained
    await connection.execute(_CHECKPOINT, head.number, *said)


async def read_head(connection: Any) -> Head | None:
    """The newest checkpoint."""
    row = await connection.fetchrow(_HEAD)
    return row and Head(row[0], Checkpoint(row[1], row[2], row[3]), row[4])


async def count_waiting(connection: Any, most: int = 1_000_000) -> int:
    """Entries that are not sealed yet, counted no further than `most`."""
    return int(await connection.fetchval(_WAITING, most))


async def read_edge(connection: Any, size: int) -> Edge:
    """The right edge of the tree as it was at that size, from what is kept. Raises KeyError, ValueError if that is gone."""
    nodes = nodes_of((0, size))
    kept: dict[int, bytes] = dict(await connection.fetch(KEPT, [completed_by(node) for node in nodes]))
    return Edge(size, [hash_in(kept, node) for node in nodes])


async def trusted_edge(connection: Any, head: Head | None, keys: Sequence[VerifierKey]) -> Edge:
    """The edge to go on from, which is what the newest checkpoint signs. Raises Broken."""
    size = head.checkpoint.size if head else 0
    if await connection.fetchval(_END) != size:
        raise Broken("the leaves do not end where the newest checkpoint does")
    if head is None:
        return Edge()
    try:
        signed = open_checkpoint(head.note, keys)
    except NoteError as wrong:
        raise Broken(f"the newest checkpoint cannot be gone on from: {wrong}") from None
    try:
        edge = await read_edge(connection, size)
    except (KeyError, ValueError):
        raise Broken("leaves are missing") from None
    if signed != head.checkpoint or edge.root() != signed.root:
        raise Broken("the newest checkpoint is not of these leaves")
    return edge


async def _leaf_rows(connection: Any, statement: str, most: int, edge: Edge) -> memoryview:
    """Appends what is taken to the tree while it arrives; gives the rows of `leaves`, for COPY."""
    rows: list[bytes] = []

    async def take(lines: list[bytes]) -> None:
        for line in lines:
            entry, _, own = line.partition(b"\t")
            if own == GONE:
                raise _Gone
            number = edge.size
            hashes = edge.add(leaf_hash(leaf(own)))
            rows.append(_row(4, 8, number, 8, int(entry), 2, VERSION, len(hashes)) + hashes)

    await read_lines(connection, statement, most, take=take)
    return binary(rows)


_row = Struct("!hiqiqihi").pack
