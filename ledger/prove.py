"""Proofs from the tree as it is kept: a few look-ups by key, whatever its size; and the texts in which they travel."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ledger.dropped import read_dropped
from ledger.leaf import leaf, selected
from ledger.lines import all_lines
from ledger.note import Checkpoint
from ledger.seal import KEPT, read_head
from ledger.tree import HASH, Span, completed_by, consistency, fold, hash_in, inclusion, leaf_hash, nodes_of
from settings.spans import FLOOR


class Unprovable(Exception):
    """There is no such proof; the text says why, and what to do."""


class Tampered(Unprovable):
    """What is stored does not give the proof that it should."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf is in the tree of the checkpoint. `hashes` from its sibling up.

    `leaf` is None if retention has dropped the entry: whoever kept it has that themselves, and its `hash` must be this.
    """

    entry: int
    number: int
    leaf: bytes | None
    hash: bytes
    hashes: Sequence[bytes]
    note: str

    def text(self) -> str:
        """As c2sp.org/tlog-proof@v1 has it; its extra data are the leaf."""
        extra = [] if self.leaf is None else [f"extra {_base64(self.leaf)}"]
        lines = ["c2sp.org/tlog-proof@v1", *extra, f"index {self.number}"]
        return "\n".join([*lines, *map(_base64, self.hashes), "", self.note])


@dataclass(frozen=True, slots=True)
class Consistency:
    """That a tree of `old` leaves is the beginning of the tree of the checkpoint."""

    old: int
    hashes: Sequence[bytes]
    note: str

    def text(self) -> str:
        """As witnesses are asked (c2sp.org/tlog-witness, add-checkpoint)."""
        return "\n".join([f"old {self.old}", *map(_base64, self.hashes), "", self.note])


_LEAF = "SELECT number, hashes FROM leaves WHERE entry = $1"
_ENTRY = f"SELECT {selected('e')} FROM entries e WHERE e.id = $1"


async def prove_inclusion(connection: Any, entry: int, floor: timedelta = FLOOR) -> Inclusion:
    """Of an entry, by its id. `floor` as in `Asked`. Raises Unprovable."""
    row = await connection.fetchrow(_LEAF, entry)
    head = await read_head(connection)
    line = next(iter(await all_lines(connection, _ENTRY, entry)), b"")
    if row is None or head is None:
        words = "waits to be sealed: ask again in a minute" if line else "does not exist"
        raise Unprovable(f"entry {entry} {words}")
    number, kept = row[0], row[1][:HASH]
    gone = not line and (await read_dropped(connection, min(floor, FLOOR))).covers(entry)
    if not gone and (not line or leaf_hash(leaf(line)) != kept):
        raise Tampered(f"entry {entry} is not as it was sealed: run ./hookledger ledger verify")
    size = head.checkpoint.size
    hashes = await _hashes(connection, inclusion(number, size))
    if root_of_inclusion(number, size, kept, hashes) != head.checkpoint.root:
        raise Tampered("the tree is not that of its newest checkpoint: run ./hookledger ledger verify")
    return Inclusion(entry, number, None if gone else leaf(line), kept, hashes, head.note)


async def prove_consistency(connection: Any, old: Checkpoint) -> Consistency:
    """Of the newest checkpoint with one that was kept. Raises Unprovable."""
    head = await read_head(connection)
    if head is None or head.checkpoint.size < old.size:
        raise Tampered(
            f"the ledger ends before {old.size} leaves: run ./hookledger ledger verify --kept FILE"
        )
    [root] = await _hashes(connection, [(0, old.size)])
    if root != old.root:
        raise Tampered(
            "the ledger's tree of that size is another one: run ./hookledger ledger verify --kept FILE"
        )
    return Consistency(
        old.size, await _hashes(connection, consistency(old.size, head.checkpoint.size)), head.note
    )


async def _hashes(connection: Any, spans: Sequence[Span]) -> list[bytes]:
    nodes = [nodes_of(span) for span in spans]
    wanted = sorted({completed_by(node) for some in nodes for node in some})
    kept: dict[int, bytes] = dict(await connection.fetch(KEPT, wanted))
    try:
        return [fold(hash_in(kept, node) for node in some) for some in nodes]
    except (KeyError, ValueError):
        raise Tampered("leaves are missing: run ./hookledger ledger verify") from None


def root_of_inclusion(number: int, size: int, leaf_: bytes, hashes: Sequence[bytes]) -> bytes:
    """The root that the proof leads to (RFC 9162, section 2.1.3.2)."""
    root = leaf_
    for (first, _), other in zip(inclusion(number, size), hashes, strict=True):
        root = fold([root, other] if first > number else [other, root])
    return root


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
