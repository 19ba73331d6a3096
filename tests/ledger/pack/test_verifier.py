"""The verifier's own arithmetic: RFC 8032, RFC 8785 and RFC 9162 written once more, held against theirs and ours."""

import ast
import json
import math
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import tree
from ledger.note import Signer
from ledger.pack import verify
from ledger.pack.making import COLUMNS
from ledger.report import cell

SOURCE = Path(verify.__file__)

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key, said, signed = (bytes.fromhex(text) for text in (public, message, signature))
    ours = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))

    assert (ours.public_key().public_bytes_raw(), ours.sign(said)) == (key, signed)
    assert verify.has_signed(key, said, signed)
    assert not verify.has_signed(key, said + b"x", signed)
    for place in (0, 31, 32, 63):
        forged = bytearray(signed)
        forged[place] ^= 1
        assert not verify.has_signed(key, said, bytes(forged))


def test_signatures_that_rfc_8032_refuses() -> None:
    _, public, message, signature = VECTORS[1]
    key, said, signed = (bytes.fromhex(text) for text in (public, message, signature))
    beyond = int.from_bytes(signed[32:], "little") + verify.L

    assert not verify.has_signed(key, said, signed[:32] + beyond.to_bytes(32, "little"))
    assert not verify.has_signed(key, said, signed[:63])
    assert not verify.has_signed(key[:31], said, signed)
    assert not verify.has_signed(b"\xff" * 32, said, signed)
    assert not verify.has_signed((2).to_bytes(32, "little"), said, signed)
    assert not verify.has_signed(bytes.fromhex(VECTORS[0][1]), said, signed)


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_whatever_was_signed_elsewhere_is_signed(seed: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)

    assert verify.has_signed(key.public_key().public_bytes_raw(), message, key.sign(message))


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_NUMBER = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(value=_JSON)
def test_json_is_written_as_the_library_writes_it(value: Any) -> None:
    assert verify.canonical(value).encode() == rfc8785.dumps(value)


@given(bits=st.integers(0, 2**64 - 1))
def test_every_double_is_written_as_the_library_writes_it(bits: int) -> None:
    [number] = struct.unpack("<d", bits.to_bytes(8, "little"))
    if math.isfinite(number):
        assert verify.canonical(number).encode() == rfc8785.dumps(number)
    else:
        with pytest.raises(ValueError, match="no number"):
            verify.canonical(number)


@given(value=st.dictionaries(_TEXT, _JSON, max_size=4))
def test_what_was_written_is_read_and_written_again_the_same(value: dict[str, Any]) -> None:
    written = rfc8785.dumps(value)

    assert verify.canonical(json.loads(written)).encode() == written


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"), (1e20, "100000000000000000000"), (1e21, "1e+21"),
        (295147905179352830000.0, "295147905179352830000"), (1e-6, "0.000001"), (1e-7, "1e-7"), (-1.5e-7, "-1.5e-7"),
        (333333333.3333333, "333333333.3333333"), (10**20, "100000000000000000000"),
    ],
)  # fmt: skip
def test_numbers_of_appendix_b(number: float, text: str) -> None:
    assert verify.canonical(number) == text


@given(leaves=st.lists(st.binary(max_size=4), max_size=40), cuts=st.sets(st.integers(0, 40)))
def test_the_tree_from_pieces_is_the_tree_from_leaves(leaves: list[bytes], cuts: set[int]) -> None:
    whole = tree.Edge()
    for one in leaves:
        whole.add(tree.leaf_hash(one))
    pieced, place = verify.Tree(), 0
    for end in [*sorted(cut for cut in cuts if cut < len(leaves)), len(leaves)]:
        for level, index in tree.pieces((place, end)):
            part = tree.Edge()
            for one in leaves[index << level : (index + 1) << level]:
                part.add(verify.leaf_hash(one))
            pieced.push(level, part.root())
        place = end

    assert (pieced.size, pieced.root()) == (len(leaves), whole.root())


def test_notes_are_opened_as_the_ledger_opens_them() -> None:
    signer = Signer("example.com/ledger", bytes(32))
    key = verify.read_key(str(signer.verifier))
    note = signer.sign("example.com/ledger\n0\n" + "A" * 43 + "=\n")

    assert (key.name, key.key) == (signer.verifier.name, signer.verifier.key)
    assert verify.open_note(note, [key]).size == 0
    for changed in (note.replace("\n0\n", "\n1\n"), note[:-1], note.replace("\u2014", "-"), ""):
        with pytest.raises(verify.BadNote):
            verify.open_note(changed, [key])
    with pytest.raises(verify.BadNote):
        verify.open_note(note, [])
    other = Signer("example.com/ledger", bytes(31) + b"1").verifier
    with pytest.raises(verify.Unusable):
        verify.read_key(str(signer.verifier)[:-4] + str(other)[-4:])


@given(value=_JSON)
def test_cells_are_those_of_every_csv(value: Any) -> None:
    assert verify.cell(value) == cell(value)


def test_both_know_the_same_columns() -> None:
    assert verify.COLUMNS == COLUMNS
    schema = json.loads((SOURCE.parent / "schema.json").read_text(encoding="utf-8"))
    assert tuple(schema["entries.jsonl"]["columns"]) == COLUMNS


def test_it_needs_python_3_9_and_its_standard_library_only() -> None:
    parsed = ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 9))
    nodes = list(ast.walk(parsed))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    assert not imported & {"socket", "urllib", "http", "ssl", "subprocess"}
