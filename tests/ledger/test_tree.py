"""The Merkle tree against the published vectors of certificate transparency (RFC 6962, RFC 9162), and against itself."""

import base64
import random

import pytest

from ledger.tree import (
    EMPTY,
    HASH,
    Edge,
    Span,
    completed_by,
    consistency,
    fold,
    hash_in,
    inclusion,
    leaf_hash,
    node_hash,
    nodes_of,
)

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_A, _B = "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=", "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4="
_C, _D = "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=", "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="
_E, _F = "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=", "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc="
_G, _H = "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=", "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8="
_I, _J = "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=", "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
INCLUSION = [
    (0, 8, [_A, _B, _C]),
    (5, 8, [_D, _E, _F]),
    (2, 3, [_I]),
    (1, 5, [_J, _B, _D]),
]
CONSISTENCY = [
    (1, 8, [_A, _B, _C]),
    (6, 8, [_G, _E, _F]),
    (2, 5, [_B, _D]),
    (6, 7, [_G, _H, _F]),
]
"""From the test vectors that certificate-transparency's Merkle trees share (transparency-dev/merkle, testdata)."""


def grown(leaves: list[bytes]) -> tuple[Edge, dict[int, bytes]]:
    """The edge, and what is kept with each leaf."""
    edge, kept = Edge(), dict[int, bytes]()
    for number, leaf in enumerate(leaves):
        kept[number] = edge.add(leaf_hash(leaf))
    return edge, kept


def hash_of(kept: dict[int, bytes], span: Span) -> bytes:
    """The root above these leaves."""
    return fold(hash_in(kept, node) for node in nodes_of(span))


def in_base64(kept: dict[int, bytes], spans: list[Span]) -> list[str]:
    """A proof as the vectors write it."""
    return [base64.b64encode(hash_of(kept, span)).decode() for span in spans]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    edge, _ = grown(LEAVES[:size])

    assert edge.root().hex() == ROOTS[size]


def test_the_empty_tree_has_the_root_of_nothing() -> None:
    assert EMPTY.hex() == ROOTS[0]


@pytest.mark.parametrize(("number", "size", "proof"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(number: int, size: int, proof: list[str]) -> None:
    _, kept = grown(LEAVES)

    assert in_base64(kept, inclusion(number, size)) == proof


@pytest.mark.parametrize(("old", "size", "proof"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, size: int, proof: list[str]) -> None:
    _, kept = grown(LEAVES)

    assert in_base64(kept, consistency(old, size)) == proof


def _root_of(leaves: list[bytes]) -> bytes:
    """As RFC 9162, section 2.1.1, defines it, recursively."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(_root_of(leaves[:half]), _root_of(leaves[half:]))


def test_any_part_of_a_tree_is_computed_from_what_is_kept() -> None:
    leaves = [bytes([n]) for n in range(200)]
    edge, kept = grown(leaves)

    assert edge.root() == _root_of(leaves)
    chance = random.Random(9162)
    for _ in range(300):
        size = chance.randint(1, 200)
        number, old = chance.randrange(size), chance.randint(1, size)
        assert hash_of(kept, (0, size)) == _root_of(leaves[:size])
        for first, end in (*inclusion(number, size), *consistency(old, size)):
            assert hash_of(kept, (first, end)) == _root_of(leaves[first:end])


def test_what_a_leaf_keeps_is_what_it_completes() -> None:
    _, kept = grown([bytes([n]) for n in range(8)])

    assert [len(kept[number]) // HASH for number in range(8)] == [1, 2, 1, 3, 1, 2, 1, 4]
    assert completed_by((3, 0)) == 7
    with pytest.raises(ValueError, match="missing"):
        hash_in({7: kept[7][:-1]}, (3, 0))
    with pytest.raises(KeyError):
        hash_in({}, (3, 0))
