"""Recomputes the tree from the entries' own columns, leaf after leaf, and holds it against every checkpoint.

Two trees grow side by side once a row does not fit: one from the columns, one from the hashes that are kept. At the next
checkpoint the signature tells which of them is the true one, and so which table was tampered with.
"""

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ledger.dropped import Dropped
from ledger.handover import goes_on, handover_of
from ledger.leaf import COLUMNS, GONE, VERSION, leaf, with_id
from ledger.note import Checkpoint, NoteError, VerifierKey, checkpoint_of, open_note
from ledger.tree import HASH, Edge, leaf_hash

Kind = Literal["changed", "missing", "inserted", "reordered", "restored", "forked"]

MOST_ODD = 1000
"""Rows that do not fit of which more than their number is kept."""
_MOST_PAIRS = 40
"""Rows among which one looks for two that have changed places."""
_AT = COLUMNS.index("at")
_VERSION = b"%d" % VERSION


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit. `row` names it; `leaf` is its place in the tree, if it has one."""

    kind: Kind
    row: str
    words: str
    leaf: int | None = None


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A row of `checkpoints`; `earliest` is the time, as COPY writes it, before which no later leaf may say it happened."""

    number: int
    checkpoint: Checkpoint
    note: str
    earliest: bytes
    """Empty if entries were left in the queue."""


@dataclass(slots=True)
class _Odd:
    """A row that does not fit. `line` is the entry's own, None if it is gone."""

    number: int
    entry: int
    line: bytes | None
    mine: bytes
    stored: bytes
    leaf_is_wrong: bool = False


@dataclass(slots=True)
class _Interval:
    """What was seen since the last checkpoint."""

    begin: int = 0
    odd: list[_Odd] = field(default_factory=list["_Odd"])
    inner: int | None = None
    """First leaf whose own hash fits and whose subtrees do not."""
    backwards: int | None = None
    """First leaf of an entry older than the one before it."""


@dataclass
class Recomputation:
    """`edge` is where to begin: the empty tree, or a checkpoint that is trusted. `kept`: checkpoints from elsewhere.

    Of an entry that retention has dropped, its leaf's hash stands for it, which the checkpoints prove as they do all others.
    """

    keys: Sequence[VerifierKey]
    kept: Sequence[Checkpoint] = ()
    edge: Edge = field(default_factory=Edge)
    dropped: Dropped = field(default_factory=Dropped)

    def __post_init__(self) -> None:
        self.rows = 0
        self.odd = 0
        """Rows that do not fit."""
        self.lost = 0
        """Leaves that are not there."""
        self.findings: list[Finding] = []
        self.last: StoredCheckpoint | None = None
        self._stored: Edge | None = None
        self._interval = _Interval(self.edge.size)
        self._odd: list[_Odd] = []
        self._blind = False
        """A leaf is missing: no root can be computed any more."""
        self._rewritten: int | None = None
        """Size of the last checkpoint that fits, once one does not."""
        self._earliest = b""
        self._whole = self.edge.size == 0
        self._rewriting: tuple[_Interval, str, int] | None = None
        self._entry = -1
        self._kept_wrong: list[Checkpoint] = []
        self._kept = {c.size: c for c in self.kept}

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self.edge.size

    def rows_until(self, lines: Sequence[bytes], place: int, size: int) -> int:
        """Takes lines from `place` on until the tree has that size, or the lines end; gives the next place.

        A line: number, entry, leaf_version and hashes (hex) of a leaf, then the entry's columns, `selected`.
        """
        edge, add, kept_elsewhere = self.edge, self.edge.add, self._kept
        for at in range(place, min(len(lines), place + size - edge.size)):
            line = lines[at]
            place = at + 1
            self.rows += 1
            number, entry, version, hexed, own = line.split(b"\t", 4)
            if int(number) != edge.size:
                self._gap(int(number))
            kept, id_ = unhexlify(hexed), int(entry)
            mine = leaf_hash(leaf(own)) if own != GONE else self._stands_for(id_, kept)
            if self._earliest and mine and own.split(b"\t", _AT + 1)[_AT] < self._earliest:
                self._backdated(edge.size, id_, own.split(b"\t", _AT + 1)[_AT])
            if id_ < self._entry and self._interval.backwards is None:
                self._interval.backwards = edge.size
            self._entry = id_
            if mine is None or self._stored is not None or mine != kept[:HASH]:
                self._apart(id_, kept, own, mine)
            elif add(mine) != kept and self._interval.inner is None:
                self._interval.inner = edge.size - 1
            if version != _VERSION:
                words = f"its version is {version.decode()}, which this release does not know"
                self._find("changed", f"leaf {int(number)}", words, int(number))
            if edge.size in kept_elsewhere:
                self._compare(kept_elsewhere[edge.size])
            if edge.size >= size:
                break
        return place

    def at_checkpoint(self, stored: StoredCheckpoint) -> None:
        """Holds the tree against a checkpoint of its size; all of them, in the order of their numbers."""
        name = f"checkpoint {stored.number}"
        expected = self.last.number + 1 if self.last else stored.number
        if stored.number != expected:
            self._find("missing", f"checkpoint {expected}", f"the next one is {stored.number}")
        if self.last and stored.checkpoint.size < self.last.checkpoint.size:
            self._find("changed", name, "it is of a smaller tree than the one before it")
        before, self.last = self.last, stored
        try:
            text = open_note(stored.note, self.keys)
            signed, told = checkpoint_of(text), handover_of(text)
        except NoteError as wrong:
            self._find("changed", name, str(wrong))
            return
        if before and (words := goes_on(before.checkpoint, signed, told)):
            self._find("changed", name, words)
        if signed != stored.checkpoint:
            self._find("changed", name, "its row says something else than what was signed")
        if signed.size != self.size:
            return
        self._hold_against(signed, name)
        self._earliest = stored.earliest or self._earliest

    def end(self, beyond: Sequence[StoredCheckpoint], leafless: Mapping[bytes, bytes]) -> frozenset[bytes]:
        """All leaves were read. `beyond`: checkpoints of larger trees. `leafless`: lines of entries, by id, that are neither
        sealed nor queued; gives those of them that are accounted for."""
        last = beyond[-1] if beyond else self.last
        end = last.checkpoint.size if last else 0
        if self._rewriting:
            self._tell_rewriting(*self._rewriting, end - self.size)
        elif end > self.size and last:
            words = f"checkpoint {last.number} is of {end} leaves, and there are {self.size}"
            self._find("missing", f"leaf {self.size}", words, self.size)
            self.lost += end - self.size
        elif end < self.size:
            words = "no checkpoint is of this leaf and those after it: it was removed, or the leaves were put there"
            self._find("missing", f"checkpoint {last.number + 1 if last else 1}", words, end)
        self._odd += self._interval.odd
        explained = self._explain(leafless)
        self._answer_dropped()
        self._answer_kept(end)
        self.findings.sort(key=lambda found: (found.leaf is None, found.leaf or 0))
        return explained

    # Rows

    def _gap(self, number: int) -> None:
        if number > self.edge.size:
            lost = number - self.edge.size
            words = "it is not there" if lost == 1 else f"it and the {lost - 1} after it are not there"
            self._find("missing", f"leaf {self.edge.size}", words, self.edge.size)
            self.lost += lost
        else:
            self._find("inserted", f"leaf {number}", "its number is given twice", number)
        self._blind = True
        self.edge.size = number
        self.edge.roots = [bytes(HASH)] * number.bit_count()
        self._stored = None

    def _stands_for(self, entry: int, kept: bytes) -> bytes | None:
        """The kept hash of an entry that retention has dropped; None if it may not be gone."""
        return kept[:HASH] if self.dropped.covers(entry) else None

    def _apart(self, entry: int, kept: bytes, own: bytes, mine: bytes | None) -> None:
        """A row that does not fit, or one after it, while there are two trees. For an entry that is gone, its kept hash
        stands in ours too."""
        number, stored = self.edge.size, kept[:HASH].ljust(HASH, b"\0")
        if self._stored is None and not self._blind:
            self._stored = self.edge.copy()
        self.edge.add(mine or stored)
        completed = self._stored.add(stored) if self._stored else kept
        if mine != stored:
            if len(self._odd) + len(self._interval.odd) < MOST_ODD:
                line = own if mine else None
                self._interval.odd.append(_Odd(number, entry, line, mine or b"", stored))
            self.odd += 1
        elif completed != kept and self._interval.inner is None:
            self._interval.inner = number

    def _backdated(self, number: int, entry: int, at: bytes) -> None:
        words = f"it says {at.decode()}, but was not there when the checkpoint before it was made, long after that"
        self._find("inserted", f"entry {entry}", words, number)

    # Checkpoints

    def _hold_against(self, signed: Checkpoint, name: str) -> None:
        interval, self._interval = self._interval, _Interval(self.edge.size)
        if not self._blind and self._rewritten is None:
            mine = self.edge.root()
            stored = self._stored.root() if self._stored else mine
            if signed.root not in (mine, stored):
                self._rewritten = interval.begin
                self._rewriting = (interval, name, signed.size)
                self.odd += 1
                return
            if signed.root == mine and self._stored:
                for odd in interval.odd:
                    odd.leaf_is_wrong = True
            elif self._stored:
                self.edge.roots = list(self._stored.roots)
            if interval.inner is not None and not interval.odd:
                words = "the subtrees kept with it are not those of the leaves before it"
                self._find("changed", f"leaf {interval.inner}", words, interval.inner)
            self._stored = None
        self._odd += interval.odd

    def _tell_rewriting(self, interval: _Interval, name: str, size: int, shorter: int) -> None:
        """The first checkpoint of another tree: which leaves it is about, and what was done to them. `shorter` than the
        newest checkpoint says, or longer, is the tree."""
        first = interval.odd[0].number if interval.odd else interval.inner
        first = interval.begin if first is None else first
        where = f"{name} is of another tree: among leaves {interval.begin} to {size - 1}"
        if shorter > 0:
            self._find(
                "missing", f"leaf {first}", f"{where}, at this one perhaps, {shorter} were taken out", first
            )
            self.lost += shorter
        elif shorter < 0:
            self._find(
                "inserted", f"leaf {first}", f"{where}, at this one perhaps, {-shorter} were put in", first
            )
        elif interval.backwards is not None:
            first = interval.backwards
            self._find("reordered", f"leaf {first}", f"{where}, this one is out of order", first)
        else:
            words = f"{where}, one was changed with its hash, the first perhaps this"
            self._find("changed", f"leaf {first}", words, first)

    def _compare(self, kept: Checkpoint) -> None:
        if self._blind:
            return
        roots = {self.edge.root()} | ({self._stored.root()} if self._stored else set[bytes]())
        if kept.root not in roots:
            self._kept_wrong.append(kept)

    def _answer_kept(self, end: int) -> None:
        for kept in self._kept_wrong:
            if self._rewritten is None or kept.size <= self._rewritten:
                words = "another ledger with the same keys has grown from here, or a restored one that was gone on with"
                self._find("forked", f"checkpoint of {kept.size} leaves kept elsewhere", words, kept.size - 1)
        for kept in self.kept:
            if kept.size > end:
                words = (
                    f"the ledger ends at {end} leaves: an older backup was restored, or its end was cut off"
                )
                self._find("restored", f"checkpoint of {kept.size} leaves kept elsewhere", words, end)

    def _answer_dropped(self) -> None:
        """Of each month as many entries are gone as its deeds tell."""
        for deed in self.dropped.doubtful:
            self._find("inserted", f"entry {deed.entry}", deed.words)
        for month, gone in zip(self.dropped.months, self.dropped.gone, strict=True):
            row = f"entries of {month.name}"
            if gone > month.sealed + month.waiting:
                told = month.sealed + month.waiting
                words = f"{gone:,} are not there, and the deeds of retention tell of {told:,}"
                self._find("missing", row, words)
                self.lost += gone - told
            elif gone > month.sealed:
                words = f"{gone - month.sealed:,} are not there, and the deed that tells of them is not sealed yet: verify again then"
                self._find("missing", row, words)
            elif gone < month.sealed and self._whole and not self._blind:
                words = f"{month.sealed - gone:,} that retention has dropped are there again"
                self._find("inserted", row, words)

    # What became of the rows that do not fit

    def _explain(self, leafless: Mapping[bytes, bytes]) -> frozenset[bytes]:
        by_hash = {odd.stored: odd for odd in self._odd}
        explained: set[bytes] = set()
        few = self._odd[:_MOST_PAIRS]
        for odd in self._odd:
            name = f"entry {odd.entry}"
            other = by_hash.get(odd.mine) if odd.line else None
            found = _moved(odd, leafless) if odd in few else None
            if found:
                explained.add(found[0])
                self._find("changed", name, found[1], odd.number)
            elif odd.line is None:
                self._find("missing", name, "its leaf is there, the entry is not", odd.number)
            elif other is not None and other is not odd:
                words = f"it stands in the place of entry {other.entry}"
                self._find("reordered", name, words, odd.number)
            elif odd in few and (swapped := _swapped(odd, few)):
                words = f"it has changed places with entry {swapped.entry}"
                self._find("reordered", name, words, odd.number)
            elif odd.leaf_is_wrong:
                words = f"its hash is not that of entry {odd.entry}, which the checkpoint confirms"
                self._find("changed", f"leaf {odd.number}", words, odd.number)
            else:
                self._find("changed", name, "its columns are not those that were sealed", odd.number)
        return frozenset(explained)

    def _find(self, kind: Kind, row: str, words: str, leaf_: int | None = None) -> None:
        self.findings.append(Finding(kind, row, words, leaf_))


def _moved(odd: _Odd, leafless: Mapping[bytes, bytes]) -> tuple[bytes, str] | None:
    """An entry without a leaf that is the one sealed here, and what was done to it."""
    for id_, line in leafless.items():
        if leaf_hash(leaf(line)) == odd.stored:
            return id_, f"leaf {odd.number} is of entry {int(id_)}, and was made to name this one"
        if _hash_as(line, odd.entry) == odd.stored:
            return id_, f"its id was made {int(id_)}"
    return None


def _swapped(odd: _Odd, others: Sequence[_Odd]) -> _Odd | None:
    """Another row that has our columns under its own id as it was sealed."""
    for other in others:
        if other is not odd and odd.line and _hash_as(odd.line, other.entry) == other.stored:
            return other
    return None


def _hash_as(line: bytes, entry: int) -> bytes:
    """Of the same columns under another id."""
    return leaf_hash(leaf(with_id(line, b"%d" % entry)))
