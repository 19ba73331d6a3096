"""The proof of a pack: the tree's edge from left to right, each row's leaf by its hash, what lies between by the fewest hashes.

One line for each: `leaf NUMBER HASH`, or `tree FIRST COUNT HASH` for a perfect subtree of leaves that are not in the pack.
Lines end where a checkpoint of the pack does, so that each of its roots can be computed on the way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.prove import Tampered
from ledger.seal import KEPT
from ledger.tree import HASH, Node, completed_by, fold, hash_in, node_hash, pieces


class Proof:
    """Makes the lines, in the order of the leaves, and finds out whether they prove what they should.

    `roots` by size: of the checkpoints in the pack, the newest among them. `connection` looks up what is kept.
    """

    def __init__(self, connection: Any, roots: Mapping[int, bytes]) -> None:
        self._connection = connection
        self._roots = roots
        self._marks = sorted(roots)
        self._frontier: list[tuple[int, bytes]] = []
        self._place = 0
        self._mark = 0

    async def lines(self, leaves: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Of the next rows' leaves, number and hash, and what lies before each. Raises Tampered."""
        plan: list[Node | tuple[int, bytes]] = []
        place = self._place
        for number, hash_ in leaves:
            plan += self._gap(place, number)
            plan.append((number, hash_))
            place = number + 1
        return await self._written(plan)

    async def rest(self) -> list[bytes]:
        """What lies behind the last row. Raises Tampered, also if it all leads to another tree."""
        lines = await self._written(self._gap(self._place, self._marks[-1]))
        self._meet()
        return lines

    def _gap(self, first: int, end: int) -> list[Node | tuple[int, bytes]]:
        found: list[Node | tuple[int, bytes]] = []
        if first >= end:
            return found
        for mark in self._marks[self._mark :]:
            if mark >= end:
                break
            if first < mark:
                found += pieces((first, mark))
                first = mark
        return found + pieces((first, end))

    async def _written(self, plan: Iterable[Node | tuple[int, bytes]]) -> list[bytes]:
        plan = list(plan)
        wanted = sorted({completed_by((a, b)) for a, b in plan if isinstance(b, int)})
        kept: dict[int, bytes] = dict(await self._connection.fetch(KEPT, wanted)) if wanted else {}
        lines: list[bytes] = []
        for first, second in plan:
            if isinstance(second, bytes):
                if first != self._place:
                    raise Tampered("leaves are not in order: run ./hookledger ledger verify")
                lines.append(b"leaf %d %s\n" % (first, second.hex().encode()))
                self._push(0, second)
                continue
            try:
                hash_ = hash_in(kept, (first, second))
            except (KeyError, ValueError):
                raise Tampered("leaves are missing: run ./hookledger ledger verify") from None
            lines.append(b"tree %d %d %s\n" % (second << first, 1 << first, hash_.hex().encode()))
            self._push(first, hash_)
        return lines

    def _push(self, level: int, hash_: bytes) -> None:
        self._meet()
        self._place += 1 << level
        while self._frontier and self._frontier[-1][0] == level:
            hash_ = node_hash(self._frontier.pop()[1], hash_)
            level += 1
        self._frontier.append((level, hash_))

    def _meet(self) -> None:
        """Holds the tree so far against a checkpoint of its size."""
        while self._mark < len(self._marks) and self._marks[self._mark] <= self._place:
            size = self._marks[self._mark]
            self._mark += 1
            if fold(hash_ for _, hash_ in self._frontier) != self._roots[size]:
                raise Tampered(
                    f"the tree is not that of its checkpoint of {size} leaves: run ./hookledger ledger verify"
                )


def leaf_in(hexed: bytes) -> bytes:
    """A leaf's kept hash, from the hexadecimal of COPY. Raises Tampered."""
    hash_ = bytes.fromhex(hexed.decode())
    if len(hash_) != HASH:
        raise Tampered("a leaf's hash is cut short: run ./hookledger ledger verify")
    return hash_
