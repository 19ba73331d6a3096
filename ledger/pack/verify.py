"""Checks an auditor's pack of Hookledger. Needs Python 3.9 or later, and nothing else: no package, no database, no network.

    python3 verify.py PACK.zip [--key KEY] [--checkpoint FILE] [--manifest SHA256] [--json]

PACK.zip is the archive, or the folder into which it was unpacked; left out, it is the folder of this file.
Exit codes: 0 everything fits, 1 something does not, 2 it could not be checked, or not all that was asked for.

Read from the top it is: signatures (RFC 8032), how a row becomes bytes (RFC 8785), the tree above the rows (RFC 9162), signed
notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), the files of the pack, and what is checked of them.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

FORMAT = "hookledger-pack/1"
COLUMNS = (
    "leaf", "id", "at", "tenant", "subject", "seq", "hook", "application", "activity", "outcome", "attempt", "actor",
    "acting_for", "delivery", "code_version", "rules_hash", "commitment", "leaf_version", "detail",
)  # fmt: skip
BODY_TAG = b"hookledger/body/v1\0"
LATER = "/restored/"
"""Parts a ledger's origin from what a restore adds to it. The keys stay; their names, and so their digests, follow the origin."""
LONGEST = 1 << 26
"""Bytes of a line: longer ones are nobody's rows."""
SHOWN = 20
REMEMBERED = 1000


class Unusable(Exception):
    """It cannot be checked; the text says why."""


class Damaged(Exception):
    """The pack cannot be read any further; the text says where."""


class BadNote(Exception):
    """A signed note is none, or nobody we know has signed it; the text says which."""


# Signatures: RFC 8032, section 5.1. Slow and simple; nothing here is secret.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
# Points are X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.


def _x_of(y: int, odd: int) -> int | None:
    """Section 5.1.3, steps 2 to 4."""
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if odd else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != odd else x


def _point(data: bytes) -> Any:
    """Decodes a point; None if the bytes are none."""
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = _x_of(y, number >> 255) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def _add(p: Any, q: Any) -> Any:
    """Section 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, p: Any) -> Any:
    q: Any = (0, 1, 1, 0)
    while number:
        if number & 1:
            q = _add(q, p)
        p = _add(p, p)
        number >>= 1
    return q


def _encoded(p: Any) -> bytes:
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x_of(_BASE_Y, 0) or 0
BASE: Any = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def has_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Section 5.1.7: whether the Ed25519 signature is of this message and by this key."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, s = _point(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], a[2], P - a[3])
    return _encoded(_add(_times(s, BASE), _times(k, minus_a))) == signature[:32]


# A row's bytes: RFC 8785, the one way to write down a JSON value.


quoted = json.encoder.encode_basestring
"""Section 3.2.2.2: text in quotation marks, with the fewest escapes."""


def canonical(value: Any) -> str:
    """JSON with nothing left open: members sorted, numbers as ECMAScript writes them. Raises ValueError."""
    if isinstance(value, str):
        return quoted(value)
    kind = value.__class__
    if kind is dict:
        ordered = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{quoted(name)}:{canonical(inner)}" for name, inner in ordered) + "}"
    if kind is list:
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int) and abs(value) < 2**53:
        return str(value)
    return _number(float(value))


def _number(value: float) -> str:
    """Section 3.2.2.3: Number::toString of ECMAScript, from the shortest digits that Python gives too."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("no number of JSON")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return "-" + text if value < 0 else text


# The tree: RFC 9162, section 2.1, from left to right; only its right edge is in memory.


def leaf_hash(data: bytes) -> bytes:
    """Of one row's bytes."""
    return hashlib.sha256(b"\0" + data).digest()


class Tree:
    """Grows by perfect subtrees, each where it belongs; a leaf is one of level 0."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[tuple[int, bytes]] = []

    def push(self, level: int, hash_: bytes) -> None:
        """Appends one."""
        self.size += 1 << level
        while self._edge and self._edge[-1][0] == level:
            hash_ = hashlib.sha256(b"\1" + self._edge.pop()[1] + hash_).digest()
            level += 1
        self._edge.append((level, hash_))

    def root(self) -> bytes:
        """Of all leaves so far."""
        root = b""
        for _, hash_ in reversed(self._edge):
            root = hashlib.sha256(b"\1" + hash_ + root).digest() if root else hash_
        return root or hashlib.sha256(b"").digest()


# Signed notes.


class Key(NamedTuple):
    """A verifier key: a name and the public key with its four bytes of digest."""

    name: str
    digest: bytes
    key: bytes


class Head(NamedTuple):
    """That so many leaves have this root, as a ledger of that origin says."""

    origin: str
    size: int
    root: bytes


class HandOver(NamedTuple):
    """What a ledger that came back from a backup signs first: it goes on from `old`; leaves from `begin` on are lost.

    `known` is the newest head that anybody had kept of what is lost; None if nobody had.
    """

    day: str
    old: Head
    begin: int
    known: Head | None

    def tells_of(self, head: Head) -> bool:
        """Whether that is a head of the line that ended here, beyond its end."""
        return head.size > self._end(head.origin)[0]

    def words(self, head: Head) -> str:
        """What became of the leaves of such a head."""
        end, known = self._end(head.origin)
        told = f"leaves {end} to {head.size - 1} of it are lost: the ledger was restored from an older backup, told of on {self.day}"
        return told + ("" if head.size <= known else f"; those from {known} on were not known of then")

    def _end(self, origin: str) -> tuple[float, float]:
        """How many leaves of that line there still are, and how many somebody knew of. No end if it is another line."""
        if self.known and origin == self.known.origin:
            return self.begin, self.known.size
        end = self.old.size if origin == self.old.origin else float("inf")
        return end, end


class Checkpoint(NamedTuple):
    """A head, as somebody signed it; and if it is a hand-over, what it tells of a restore."""

    head: Head
    signer: str
    handover: HandOver | None

    @property
    def size(self) -> int:
        """Leaves."""
        return self.head.size


def read_key(text: str) -> Key:
    """NAME+DIGEST+KEY, as `./hookledger ledger checkpoint --keys` prints it. Raises Unusable."""
    name, _, rest = text.strip().partition("+")
    digest, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = b""
    made = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if len(data) != 33 or data[:1] != b"\x01" or made.hex() != digest:
        raise Unusable("a key is no verifier key: it must be NAME+DIGEST+KEY in one line")
    return Key(name, made, data[1:])


def open_note(note: str, keys: Iterable[Key]) -> Checkpoint:
    """A checkpoint, if one of these keys has signed it. Raises BadNote."""
    text, gap, below = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not gap or not below.endswith("\n") or len(lines) < 4:
        raise BadNote("it is no signed note")
    known, signer = list(keys), ""
    for line in below[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            data = base64.b64decode(encoded, validate=True)
        except ValueError:
            data = b""
        if dash != "\u2014" or len(data) < 5:
            raise BadNote("a line of its signatures is none")
        key = next((key for key in known if _digest_under(key, name) == data[:4]), None)
        if key is None:
            continue
        if not has_signed(key.key, text.encode(), data[4:]):
            raise BadNote("its signature is forged: it is not of this text")
        signer = name
    if not signer:
        raise BadNote("none of the keys has signed it")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    except ValueError:
        raise BadNote("it is no checkpoint") from None
    if str(size) != lines[1] or size < 0 or len(root) != 32 or origin != signer:
        raise BadNote("it is no checkpoint of its signer's")
    return Checkpoint(Head(origin, size, root), signer, _handover(lines[3:]))


def _digest_under(key: Key, name: str) -> bytes:
    """What begins the key's signatures under that name: its own, or one that a restore began. Empty under any other."""
    if key.name == name:
        return key.digest
    if key.name != name.partition(LATER)[0]:
        return b""
    return hashlib.sha256(name.encode() + b"\n\x01" + key.key).digest()[:4]


def _handover(extensions: list[str]) -> HandOver | None:
    """What a checkpoint's lines behind the root tell of a restore. Raises BadNote."""
    told = dict(line.split(" ", 1) for line in extensions if " " in line)
    if "restored" not in told:
        return None
    try:
        old, lost = _head(told["old"]), told.get("lost", "").partition(" ")
        known = _head(lost[2]) if "lost" in told else None
        begin = int(lost[0]) if known else old.size
    except (KeyError, ValueError):
        raise BadNote("it tells of a restore in a form that is not known") from None
    if len(told["restored"]) != 20 or not 0 <= begin <= old.size:
        raise BadNote("what it tells of a restore cannot be")
    return HandOver(told["restored"][:10], old, begin, known)


def _head(text: str) -> Head:
    """ORIGIN SIZE ROOT. Raises ValueError."""
    origin, size, root = text.split(" ")
    head = Head(origin, int(size), base64.b64decode(root, validate=True))
    if head.size < 0 or len(head.root) != 32:
        raise ValueError
    return head


# The files of the pack.


class Pack:
    """The archive, or the folder it was unpacked into."""

    def __init__(self, place: Path) -> None:
        self._zip: Any = None
        self._folder = place
        if place.is_dir():
            self.names = sorted(path.name for path in place.iterdir())
            return
        if not place.is_file():
            raise Unusable(f"{place} is not there")
        try:
            self._zip = zipfile.ZipFile(place)
        except zipfile.BadZipFile:
            raise Damaged("the archive is cut off, or no archive: its directory is missing") from None
        self.names = sorted(self._zip.namelist())

    @property
    def unpacked(self) -> bool:
        """Whether it is a folder, in which other files may lie about."""
        return self._zip is None

    def open(self, name: str) -> IO[bytes]:
        """A file to read. Raises Damaged."""
        try:
            return self._zip.open(name) if self._zip else (self._folder / name).open("rb")
        except (KeyError, OSError):
            raise Damaged(f"{name} is missing") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
            raise Damaged(f"{name} cannot be read: the archive is damaged") from None


class File:
    """One file while it is read: counts and hashes what goes by."""

    def __init__(self, pack: Pack, name: str) -> None:
        self.name = name
        self.bytes = 0
        self.rows = 0
        self._hash = hashlib.sha256()
        self._file = pack.open(name)

    def lines(self) -> Iterator[bytes]:
        """Line by line, ends included, to the end. Raises Damaged."""
        while line := self._read():
            if len(line) == LONGEST:
                raise Damaged(f"{self.name} has a line without end")
            self.bytes += len(line)
            self.rows += 1
            self._hash.update(line)
            yield line

    def whole(self) -> bytes:
        """All of a small one."""
        return b"".join(self.lines())

    def sha256(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()

    def _read(self) -> bytes:
        try:
            return self._file.readline(LONGEST)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
            raise Damaged(f"{self.name} cannot be read to its end: the archive is damaged") from None


def parsed(line: bytes) -> Any:
    """A line of JSON. Raises ValueError."""
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("too deep") from None


class Row(NamedTuple):
    """One line of entries.jsonl. `number` is that of its leaf, `place` its line."""

    place: int
    number: int
    columns: dict[str, Any]
    hash: bytes

    @property
    def name(self) -> str:
        """For people."""
        return f"entry {self.columns.get('id')} (leaf {self.number})"


class Body(NamedTuple):
    """One line of bodies.jsonl. `number` is the leaf of the row that it is of."""

    number: int
    delivery: Any
    salt: Any
    body: Any


class Piece(NamedTuple):
    """One line of proof.txt: so many leaves from that one on have this hash above them. `is_row`: it is a row's leaf."""

    first: int
    leaves: int
    hash: bytes
    is_row: bool


class Mark(NamedTuple):
    """A checkpoint that the tree must fit at its size. `kept` elsewhere, or of the pack."""

    where: str
    checkpoint: Checkpoint
    kept: bool


class Finding(NamedTuple):
    """Something that does not fit."""

    kind: str
    where: str
    words: str


class Check:
    """One check of one pack, from beginning to end."""

    def __init__(self, pack: Pack, keys: list[Key], kept: list[tuple[str, str]], manifest: str) -> None:
        self.pack = pack
        self.given = keys
        self.kept = kept
        self.manifest_hash = manifest
        self.findings: list[Finding] = []
        self.more = 0
        self.open: list[str] = []
        """What was asked for and could not be checked."""
        self.found_hash = ""
        self.manifest: dict[str, Any] = {}
        self.newest: Checkpoint | None = None
        self.marks: dict[int, list[Mark]] = {}
        self.compared: list[str] = []
        self.handovers: list[HandOver] = []
        """Restores that the keys which count have told of, in their order."""
        self.rows = self.first = self.last = self.bodies = self.gone = self.days = self.unbalanced = 0
        self.files: dict[str, File] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._missing: dict[int, bytes] = {}
        self._sound = 0
        """Leaves up to here are those of a checkpoint."""
        self._broken = False
        """proof.txt could not be read to its end."""
        self._other = False
        """A checkpoint is of another tree; those after it are, too."""

    def find(self, kind: str, where: str, words: str) -> None:
        """Takes down what does not fit."""
        if len(self.findings) < REMEMBERED:
            self.findings.append(Finding(kind, where, words))
        else:
            self.more += 1

    def run(self) -> None:
        """All of it."""
        try:
            self._manifest()
            self._checkpoints()
            self._tree()
            self._totals()
            self._control()
            self._others()
        except Damaged as wrong:
            self.find("damaged", "the pack", str(wrong))

    # What the pack says of itself

    def _manifest(self) -> None:
        for name in sorted({name for name in self.pack.names if self.pack.names.count(name) > 1}):
            self.find("inserted", name, "the archive has two files of this name")
        data = File(self.pack, "manifest.json").whole()
        self.found_hash = hashlib.sha256(data).hexdigest()
        if self.manifest_hash and self.manifest_hash != self.found_hash:
            self.find("changed", "manifest.json", "it is not the one whose hash was given with --manifest")
        try:
            told = parsed(data)
            if told["pack"] != FORMAT:
                raise Unusable(f"this verifier knows packs of {FORMAT}, and this one says it is another")
            for name in ("query", "files", "checkpoint"):
                told[name].items()
            for fact in told["files"].values():
                fact.items()
            people = told.get("people")
            told["people"] = None if people is None else frozenset(map(str, people))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Damaged("manifest.json is no manifest") from None
        self.manifest = told
        listed = set(told["files"]) | {"manifest.json"}
        for name in sorted(listed - set(self.pack.names)):
            self.find("missing", name, "the manifest names it, and it is not there")
        if not self.pack.unpacked:
            for name in sorted(set(self.pack.names) - listed):
                self.find("inserted", name, "the manifest does not name it")

    def file(self, name: str) -> File:
        """Begins to read one."""
        self.files[name] = File(self.pack, name)
        return self.files[name]

    def settle(self, name: str, rows: int | None = None) -> None:
        """Holds a file that was read to its end against the manifest."""
        file, fact = self.files[name], self.manifest["files"].get(name)
        if fact is None:
            self.find("inserted", name, "the manifest does not name it")
            return
        if (fact.get("sha256"), fact.get("bytes")) != (file.sha256(), file.bytes):
            self.find("changed", name, "its bytes are not those that the manifest names")
        if fact.get("rows", rows) != rows:
            self.find("changed", name, f"it has {rows} rows, and the manifest says {fact.get('rows')}")

    def _others(self) -> None:
        """Files of which only the bytes are held against the manifest."""
        for name in sorted(set(self.manifest["files"]) & set(self.pack.names) - set(self.files)):
            self.file(name).whole()
            self.settle(name)

    # Checkpoints

    def _checkpoints(self) -> None:
        told = self.file("keys.txt").whole().decode("utf-8", "replace")
        self.settle("keys.txt")
        try:
            own = [read_key(line) for line in told.splitlines() if line.strip()]
        except Unusable:
            own = []
            self.find("changed", "keys.txt", "a line of it is no key")
        trusted = self.given or own
        note = self.file("checkpoint.txt").whole().decode("utf-8", "replace")
        self.settle("checkpoint.txt")
        self.newest = self._note("checkpoint.txt", note, trusted)
        sizes: list[int] = []
        heads: list[tuple[str, Checkpoint]] = []
        listed = self.file("checkpoints.jsonl")
        for line in listed.lines():
            where = f"checkpoints.jsonl, line {listed.rows}"
            try:
                row = parsed(line)
                size, inner = int(row["size"]), str(row["note"])
            except (ValueError, KeyError, TypeError):
                self.find("changed", where, "it is no checkpoint")
                continue
            sizes.append(size)
            # Older ones may be by keys that nobody trusts any more: the tree under the newest is what they must fit.
            found = self._note(where, inner, [*trusted, *own])
            if found is None:
                continue
            heads.append((where, found))
            if found.size != size:
                self.find("changed", where, f"it says {size} leaves, and its note {found.size}")
            if found.handover and _has_signed_one(trusted, inner):
                self.handovers.append(found.handover)
        self.settle("checkpoints.jsonl", listed.rows)
        self._lines(heads)
        if self.newest:
            newest = self.newest.head
            told_head = {"origin": newest.origin, "size": newest.size, "root": newest.root.hex()}
            if self.manifest["checkpoint"] != told_head:
                self.find("changed", "manifest.json", "its checkpoint is not the one in checkpoint.txt")
            if [found.head for _, found in heads[-1:]] != [newest] or sizes != sorted(sizes):
                self.find("changed", "checkpoints.jsonl", "it does not end with the checkpoint of the pack")
        self._kept(trusted)

    def _lines(self, heads: list[tuple[str, Checkpoint]]) -> None:
        """Only a hand-over begins a new origin, and it names the head that it goes on from, which is in the pack."""
        begun = {found.head.origin for _, found in heads if found.handover}
        before: set[Head] = set()
        for where, found in heads:
            told, words = found.handover, ""
            if told is None and LATER in found.head.origin and found.head.origin not in begun:
                words = (
                    "its origin is one that a restore begins, and no hand-over in the pack tells of a restore"
                )
            elif told and told.old[1:] != found.head[1:]:
                words = "it hands over another tree than that of the head which it names"
            elif told and told.old.size and told.old not in before:
                words = "it hands over from a head that the ledger did not have before"
            if words:
                self.find("forged", where, words)
            before.add(found.head)

    def _note(self, where: str, note: str, keys: list[Key]) -> Checkpoint | None:
        try:
            found = open_note(note, keys)
        except BadNote as wrong:
            self.find("forged", where, str(wrong))
            return None
        self.marks.setdefault(found.size, []).append(Mark(where, found, kept=False))
        return found

    def _kept(self, keys: list[Key]) -> None:
        """Checkpoints from elsewhere: the tree of the pack must have been theirs at their size."""
        for where, note in self.kept:
            try:
                found = open_note(note, keys)
            except BadNote as wrong:
                self.open.append(f"{where}: {wrong}")
                continue
            told = next((told for told in reversed(self.handovers) if told.tells_of(found.head)), None)
            if told:
                self.find("restored", where, told.words(found.head))
            elif self.newest and found.size > self.newest.size:
                words = (
                    f"it is of {found.size} leaves, and this pack was made when there were {self.newest.size}"
                )
                self.open.append(f"{where}: {words}: keep it for the next pack")
            else:
                self.marks.setdefault(found.size, []).append(Mark(where, found, kept=True))

    # Rows under the tree

    def _tree(self) -> None:
        rows, tree, proof = self._rows(), Tree(), self.file("proof.txt")
        due = sorted(self.marks)
        row = next(rows, None)
        if due[:1] == [0]:
            self._meet(due.pop(0), tree)
        for line in proof.lines():
            piece = _piece(line)
            if piece is None or piece.first != tree.size or piece.first % piece.leaves:
                where = f"proof.txt, line {proof.rows}"
                self.find("changed", where, "it does not go on from the line before it")
                self._broken = True
                break
            row = self._placed(piece, row, rows)
            tree.push(piece.leaves.bit_length() - 1, piece.hash)
            while due and due[0] <= tree.size:
                self._meet(due.pop(0), tree)
        for _ in proof.lines():
            pass
        self.settle("proof.txt", proof.rows)
        while row is not None:
            self._astray(row)
            row = next(rows, None)
        self._end_of_tree(tree, due)

    def _placed(self, piece: Piece, row: Row | None, rows: Iterator[Row]) -> Row | None:
        """Takes the rows that belong before this piece of the proof, or are it; gives the next."""
        end = piece.first if piece.is_row else piece.first + piece.leaves
        while row is not None and row.number < end:
            self._astray(row)
            row = next(rows, None)
        if not piece.is_row:
            return row
        if row is None or row.number != piece.first:
            self._absent(piece)
            return row
        if row.hash != piece.hash:
            self.find("changed", row.name, "its columns are not those whose hash is in the tree")
        return next(rows, None)

    def _end_of_tree(self, tree: Tree, due: list[int]) -> None:
        for number in self._missing:
            words = "the proof has it, and no row is of it: a row was removed"
            self.find("missing", f"leaf {number}", words)
        if self._broken:
            return
        for size in due:
            for mark in self.marks[size]:
                self._not_met(mark)
        if self.newest and tree.size > self.newest.size:
            self.find("inserted", "proof.txt", "it goes on behind the checkpoint, where nothing is signed")

    def _absent(self, piece: Piece) -> None:
        if len(self._missing) < REMEMBERED:
            self._missing[piece.first] = piece.hash
        else:
            self.more += 1

    def _astray(self, row: Row) -> None:
        """A row whose leaf was passed already, or is none of the pack's."""
        if self._missing.pop(row.number, b"") == row.hash:
            words = f"it stands in line {row.place}, behind rows that came after it"
            self.find("reordered", row.name, words)
        elif not self._broken:
            self.find("inserted", row.name, f"line {row.place}: the proof has no such leaf")

    def _meet(self, size: int, tree: Tree) -> None:
        for mark in self.marks[size]:
            if tree.size != size:
                self._not_met(mark)
            elif tree.root() != mark.checkpoint.head.root:
                words = (
                    f"among leaves {self._sound} to {size - 1} of proof.txt the tree is another than it signs"
                )
                if mark.kept:
                    self.find(
                        "forked",
                        mark.where,
                        f"{words}: the pack is of another history than the one it was kept of",
                    )
                elif not self._other:
                    self.find("changed", mark.where, words)
                    self._other = True
            elif mark.kept:
                self.compared.append(mark.where)
        if not self._other:
            self._sound = size

    def _not_met(self, mark: Mark) -> None:
        size = mark.checkpoint.size
        if mark.kept:
            words = f"the proof does not stop at {size} leaves: ask for a pack made with --checkpoint and this note"
            self.open.append(f"{mark.where}: {words}")
        else:
            self.find("missing", mark.where, f"the proof does not come to its {size} leaves")

    def _rows(self) -> Iterator[Row]:
        """The rows in their order; each also held against the CSV, the query and its body."""
        file = self.file("entries.jsonl")
        beside = _Beside(self)
        last = -1
        for line in file.lines():
            place = file.rows
            try:
                columns = parsed(line)
                number = columns.pop("leaf") + 0
                sealed = canonical(columns).encode()
                written = b'{"leaf":%d,' % number + sealed[1:] + b"\n"
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.find("changed", f"entries.jsonl, line {place}", "it is no row")
                continue
            row = Row(place, number, columns, leaf_hash(sealed))
            if written != line:
                self.find("changed", row.name, f"line {place} is not written as RFC 8785 has it")
            self.rows += 1
            if last < 0:
                self.first = number
            last = self.last = max(last, number)
            key = str(columns.get("at"))[:10], str(columns.get("hook")), str(columns.get("outcome"))
            self._counts[key] = self._counts.get(key, 0) + 1
            self._as_asked(row)
            beside.take(row)
            yield row
        beside.end()
        self.settle("entries.jsonl", file.rows)
        if (self.manifest.get("rows"), self.manifest.get("sha256")) != (file.rows, file.sha256()):
            self.find(
                "changed", "manifest.json", "its number of rows and their hash are not those of entries.jsonl"
            )

    def _as_asked(self, row: Row) -> None:
        query, people, at = self.manifest["query"], self.manifest.get("people"), str(row.columns.get("at"))
        fits = (
            row.columns.get("tenant") == query.get("tenant")
            and query.get("application") in (None, row.columns.get("application"))
            and (people is None or row.columns.get("subject") in people)
            and str(query.get("since", "")) <= at
            and ("until" not in query or at < str(query["until"]))
        )
        if not fits:
            self.find("inserted", row.name, "it is not what the query of the manifest asks for")

    # Totals

    def _totals(self) -> None:
        file = self.file("totals.jsonl")
        counted = dict(self._counts)
        for line in file.lines():
            try:
                told = parsed(line)
                key = told["day"], told["hook"], told["outcome"]
                fits = counted.pop(key, None) == told["rows"]
            except (ValueError, KeyError, TypeError):
                fits = False
            if not fits:
                self.find("changed", f"totals.jsonl, line {file.rows}", "the rows give another number")
        self.settle("totals.jsonl", file.rows)
        if counted:
            self.find(
                "missing", "totals.jsonl", f"{len(counted)} of the numbers that the rows give are not in it"
            )

    def _control(self) -> None:
        if "control.jsonl" not in self.manifest["files"]:
            return
        file = self.file("control.jsonl")
        for line in file.lines():
            try:
                day = parsed(line)
                ended = day["settled"] + day["failed"] + day["open"] + day["dropped"]
                balanced = (
                    day["received"] == day["answered"] and day["planned"] == ended and not day["astray"]
                )
                if balanced is not day["balanced"]:
                    words = (
                        "it says that it balances, and does not"
                        if day["balanced"]
                        else "it balances, and says it does not"
                    )
                    self.find("changed", f"control.jsonl, line {file.rows}", words)
                self.days += 1
                self.unbalanced += not balanced
            except (ValueError, KeyError, TypeError):
                self.find("changed", f"control.jsonl, line {file.rows}", "it is no control total")
        self.settle("control.jsonl", file.rows)


class _Beside:
    """What goes along with the rows: the CSV, and the bodies with their commitments."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._csv_rows = 0
        self._csv = self._cells()
        self._cell_row = next(self._csv, None)
        self._asked = "bodies.jsonl" in check.manifest["files"]
        self._bodies = self._given()
        self._body = next(self._bodies, None)

    def take(self, row: Row) -> None:
        """The next row."""
        self._in_csv(row)
        while self._body is not None and self._body.number < row.number:
            self._alone()
        if self._body is not None and self._body.number == row.number:
            self._committed(row, self._body)
            self._body = next(self._bodies, None)

    def end(self) -> None:
        """All rows were read."""
        while self._cell_row is not None:
            self._check.find(
                "inserted", "entries.csv", f"row {self._csv_rows}: entries.jsonl has no such row"
            )
            self._cell_row = next(self._csv, None)
        self._check.settle("entries.csv", self._csv_rows)
        while self._body is not None:
            self._alone()
        if self._asked:
            self._check.settle("bodies.jsonl", self._check.files["bodies.jsonl"].rows)
            told = {"given": self._check.bodies, "gone": self._check.gone}
            if self._check.manifest.get("bodies") != told:
                self._check.find(
                    "changed", "manifest.json", "its numbers of bodies are not those of bodies.jsonl"
                )

    def _in_csv(self, row: Row) -> None:
        expected = [str(row.number), *(cell(row.columns.get(name)) for name in COLUMNS[1:])]
        while self._cell_row is not None and self._cell_row != expected:
            number = self._cell_row[0] if self._cell_row else ""
            if number == expected[0]:
                self._check.find(
                    "changed", row.name, "in entries.csv it says something else than in entries.jsonl"
                )
                break
            if number.isdecimal() and len(number) < 20 and int(number) > row.number:
                self._check.find("missing", row.name, "it is not in entries.csv")
                return
            self._check.find(
                "inserted", "entries.csv", f"row {self._csv_rows}: entries.jsonl has no such row there"
            )
            self._cell_row = next(self._csv, None)
        if self._cell_row is None:
            self._check.find("missing", row.name, "it is not in entries.csv")
        self._cell_row = next(self._csv, None)

    def _cells(self) -> Iterator[list[str]]:
        file = self._check.file("entries.csv")
        rows = csv.reader(line.decode("utf-8", "replace") for line in file.lines())
        try:
            if next(rows, None) != list(COLUMNS):
                self._check.find("changed", "entries.csv", "its headings are not those of a pack")
            for row in rows:
                self._csv_rows += 1
                yield row
        except csv.Error:
            self._check.find("changed", "entries.csv", f"it cannot be read behind row {self._csv_rows}")
            for _ in file.lines():
                pass

    def _given(self) -> Iterator[Body]:
        if not self._asked:
            return
        file = self._check.file("bodies.jsonl")
        for line in file.lines():
            try:
                told = parsed(line)
                body = Body(told["leaf"] + 0, told["delivery"], told["salt"], told["body"])
            except (ValueError, KeyError, TypeError):
                self._check.find("changed", f"bodies.jsonl, line {file.rows}", "it is no body")
                continue
            yield body

    def _alone(self) -> None:
        self._check.find(
            "inserted",
            f"body of delivery {self._body and self._body.delivery}",
            "no row is of its leaf, or it is out of order",
        )
        self._body = next(self._bodies, None)

    def _committed(self, row: Row, told: Body) -> None:
        name, check = f"body of delivery {told.delivery}", self._check
        if told.body is None and told.salt is None:
            check.gone += 1
        else:
            check.bodies += 1
            try:
                data = BODY_TAG + bytes.fromhex(told.salt) + str(told.body).encode()
            except (ValueError, TypeError, AttributeError):
                data = b""
            if hashlib.sha256(data).hexdigest() != row.columns.get("commitment"):
                check.find("changed", name, f"body and salt are not what {row.name} committed to")
        if told.delivery != row.columns.get("delivery"):
            check.find("changed", name, f"{row.name} is of another delivery")


def _has_signed_one(keys: list[Key], note: str) -> bool:
    try:
        open_note(note, keys)
    except BadNote:
        return False
    return True


def _piece(line: bytes) -> Piece | None:
    """A line of proof.txt; None if it is none."""
    words = line.decode("ascii", "replace").split(" ")
    is_row = words[0] == "leaf"
    try:
        first, count = int(words[1]), 1 if is_row else int(words[2])
        hash_ = bytes.fromhex(words[2 if is_row else 3])
    except (ValueError, IndexError):
        return None
    written = f"leaf {first} {hash_.hex()}\n" if is_row else f"tree {first} {count} {hash_.hex()}\n"
    if first < 0 or count < 1 or count & (count - 1) or len(hash_) != 32 or written.encode() != line:
        return None
    return Piece(first, count, hash_, is_row)


def cell(value: Any) -> str:
    """A value in the CSV: what a spreadsheet would run has an apostrophe before it, nothing is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    if isinstance(value, (bool, dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


# What was found, in words.


def tell(check: Check) -> Iterator[str]:
    """The lines to print."""
    told = check.manifest
    if told:
        query = " · ".join(f"{name} {value}" for name, value in told["query"].items())
        yield f"asked       {query}"
        yield f"made        {told.get('made_at')} by {told.get('made_by')}, Hookledger {told.get('code_version')}, receipt {told.get('receipt')}"
        yield f"manifest    SHA-256 {check.found_hash}"
    if check.newest:
        yield f"checkpoint  {check.newest.size:,} leaves, signed by {check.newest.signer}"
        yield f"rows        {check.rows:,}, each put into its RFC 8785 form, hashed, and looked for at its place in the tree"
        yield "            " + _extent(check)
    for restore in check.handovers:
        lost = f"; leaves {restore.begin:,} to {restore.known.size - 1:,} are lost" if restore.known else ""
        yield f"restored    from a backup, told of on {restore.day}: the ledger goes on from {restore.old.size:,} leaves{lost}"
    if told.get("waiting"):
        yield f"            {told['waiting']:,} more were not sealed yet when it was made: they are not in it, and prove nothing"
    if told.get("bodies") is not None:
        yield f"bodies      {check.bodies:,} hashed with their salts; of {check.gone:,} only the commitment stands, their bodies were erased or are past their retention"
    elif told:
        yield "bodies      not in this pack: it was made without them; each row has the commitment to its body"
    if check.days:
        unbalanced = (
            f"; {check.unbalanced:,} do not balance, as the ledger itself says" if check.unbalanced else ""
        )
        yield f"totals      as the rows give them; control totals of {check.days:,} days{unbalanced}"
    for where in check.compared:
        yield f"kept        {where}: the pack is of the ledger that it was kept of"
    for words in check.open:
        yield f"not checked {words}"
    for finding in check.findings[:SHOWN]:
        yield f"{finding.kind.upper():<11} {finding.where}: {finding.words}"
    more = len(check.findings) - SHOWN
    if more > 0 or check.more:
        yield f"            and {max(more, 0) + check.more:,} more that do not fit; --json names {len(check.findings):,}"
    yield from _verdict(check)


def _extent(check: Check) -> str:
    size = check.newest.size if check.newest else 0
    if not check.rows:
        return "there are none"
    if check.last - check.first + 1 != check.rows:
        return "the ledger has others between and beside them: that none of what was asked for was left out, no pack can show"
    if check.rows == size:
        return "they are the whole ledger: nothing sealed was left out"
    return f"leaves {check.first:,} to {check.last:,} without a gap: nothing sealed between them was left out"


def _verdict(check: Check) -> Iterator[str]:
    if any(finding.kind != "restored" for finding in check.findings):
        yield "THE PACK DOES NOT FIT"
        return
    if check.findings:
        yield "THE PACK FITS, BUT ENTRIES THAT WERE SEALED ARE LOST, as the ledger itself tells"
        return
    yield "everything fits" + (", as far as it could be checked" if check.open else "")
    if not check.given and not check.compared:
        yield "But key and checkpoint came with the pack, so this shows only that the pack fits itself. Get the key from"
        yield "somewhere else (--key), and best a checkpoint that somebody else has kept (--checkpoint)."
    if not check.manifest_hash:
        yield "Whoever made the pack can tell the manifest's hash, and so can the ledger: `ledger accesses` has it beside the receipt."


def _as_object(check: Check) -> dict[str, Any]:
    return {
        "fits": not check.findings,
        "rows": check.rows,
        "size": check.newest.size if check.newest else None,
        "bodies": check.bodies,
        "gone": check.gone,
        "own_key": not check.given,
        "compared": check.compared,
        "restores": [
            {"day": told.day, "goes_on_from": told.old.size, "lost_from": told.begin if told.known else None}
            for told in check.handovers
        ],
        "not_checked": check.open,
        "manifest": check.found_hash or None,
        "findings": [finding._asdict() for finding in check.findings],
        "more": check.more,
    }


def _keys(given: list[str]) -> list[Key]:
    """Each is a key, or a file with one a line."""
    found: list[Key] = []
    for one in given:
        lines = [one] if one.count("+") >= 2 and not Path(one).is_file() else _text(one).splitlines()
        found += [read_key(line) for line in lines if line.strip()]
    return found


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise Unusable(f"{file} cannot be read ({type(wrong).__name__})") from None


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit code."""
    csv.field_size_limit(LONGEST)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    parser = argparse.ArgumentParser(
        description="Checks an auditor's pack of Hookledger, with nothing but Python.",
        epilog="Exit codes: 0 everything fits, 1 something does not, 2 it could not be checked.",
    )
    parser.add_argument(
        "pack",
        nargs="?",
        help="the archive, or the folder it was unpacked into; this file's folder if left out",
    )
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="a verifier key that did not come with the pack, or a file of them; may be repeated",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that was kept elsewhere; may be repeated",
    )
    parser.add_argument(
        "--manifest",
        default="",
        metavar="SHA256",
        help="the hash of manifest.json, from whoever made the pack or from the ledger",
    )
    parser.add_argument("--json", action="store_true", help="one object of JSON instead of words")
    given = parser.parse_args(arguments)
    try:
        kept = [(file, _text(file)) for file in given.checkpoint]
        keys = _keys(given.key)
        try:
            pack = Pack(Path(given.pack) if given.pack else Path(__file__).resolve().parent)
        except Damaged as wrong:
            found = Finding("damaged", "the pack", str(wrong))
            told = json.dumps({"fits": False, "findings": [found._asdict()]}, ensure_ascii=False)
            print(told if given.json else f"DAMAGED     {found.where}: {found.words}")
            return 1
        check = Check(pack, keys, kept, given.manifest.strip().lower())
        check.run()
    except Unusable as wrong:
        print(wrong, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(_as_object(check), ensure_ascii=False))
    else:
        for line in tell(check):
            print("".join(c if c.isprintable() else "\ufffd" for c in line))
    return 1 if check.findings else 2 if check.open else 0


def _end() -> NoReturn:
    raise SystemExit(main())


if __name__ == "__main__":
    _end()
