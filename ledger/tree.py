"""The Merkle tree of RFC 9162, section 2.1, as it is kept: each leaf with the hashes of the subtrees it completes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

HASH = 32
"""Bytes of one hash."""
EMPTY = sha256(b"").digest()
"""The root of no leaves."""

Node = tuple[int, int]
"""A perfect subtree: its level, and which one of that level it is from the left; level 0 are the leaves."""
Span = tuple[int, int]
"""Leaves from the first number up to the second, which is left out."""


def leaf_hash(data: bytes) -> bytes:
    """Of a leaf's bytes (section 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of what stands above two others."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Edge:
    """The right edge of a tree: the roots of its perfect subtrees, the largest first. All that appending needs."""

    size: int = 0
    roots: list[bytes] = field(default_factory=list[bytes])

    def add(self, leaf: bytes) -> bytes:
        """Appends a leaf by its hash; gives the hashes it completes, upwards, its own first."""
        completed, roots, before = leaf, self.roots, self.size
        while before & 1:
            leaf = sha256(b"\x01" + roots.pop() + leaf).digest()
            completed += leaf
            before >>= 1
        roots.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Of the whole tree."""
        return fold(self.roots)

    def copy(self) -> "Edge":
        """One to go on with by itself."""
        return Edge(self.size, list(self.roots))


def fold(roots: Iterable[bytes]) -> bytes:
    """The root above perfect subtrees that stand side by side, the largest first."""
    upwards = list(roots)[::-1]
    return reduce(lambda right, left: node_hash(left, right), upwards) if upwards else EMPTY


def nodes_of(span: Span) -> list[Node]:
    """The perfect subtrees that make up these leaves, the largest first. The span begins where its largest may."""
    first, end = span
    found: list[Node] = []
    while first < end:
        level = (end - first).bit_length() - 1
        found.append((level, first >> level))
        first += 1 << level
    return found


def pieces(span: Span) -> list[Node]:
    """The same for leaves that begin anywhere, from the left."""
    first, end = span
    found: list[Node] = []
    while first < end:
        level = (end - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        found.append((level, first >> level))
        first += 1 << level
    return found


def completed_by(node: Node) -> int:
    """The number of the leaf that completes it: with that leaf its hash is kept."""
    level, index = node
    return ((index + 1) << level) - 1


def hash_in(kept: Mapping[int, bytes], node: Node) -> bytes:
    """A subtree's hash, from what is kept with the leaf that completes it. Raises KeyError, ValueError if it is not there."""
    level = node[0]
    found = kept[completed_by(node)][level * HASH : (level + 1) * HASH]
    if len(found) != HASH:
        raise ValueError("hashes are missing")
    return found


def inclusion(number: int, size: int) -> list[Span]:
    """What proves that leaf `number` is in the tree of that size, from its sibling up (section 2.1.3.1)."""
    first, end = 0, size
    path: list[Span] = []
    while end - first > 1:
        middle = first + _half(end - first)
        if number < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return path[::-1]


def consistency(old: int, size: int) -> list[Span]:
    """What proves that the tree of size `old` is the beginning of this one (section 2.1.4.1). Empty for 0 and for itself."""
    if old in (0, size):
        return []
    first, end, whole = 0, size, True
    path: list[Span] = []
    while old != end:
        middle = first + _half(end - first)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first, whole = middle, False
    if not whole:
        path.append((first, end))
    return path[::-1]


def _half(leaves: int) -> int:
    """The largest power of two below the number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)
