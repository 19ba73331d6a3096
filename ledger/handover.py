"""The hand-over: what a restored ledger signs first, a checkpoint under a new origin that names the head it goes on from.

It is a checkpoint like any other, of the old head's size and root, whose text has extension lines (c2sp.org/tlog-checkpoint).
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.note import LATER, Checkpoint, NoteError, VerifierKey, checkpoint_of, line_of, open_note
from ledger.tree import HASH

_HANDOVERS = "SELECT note FROM checkpoints WHERE strpos(note, E'\\nrestored ') > 0 ORDER BY number"


@dataclass(frozen=True, slots=True)
class Lost:
    """Leaves from `begin` on were sealed and are not there. `head` is the newest that anybody kept of them."""

    begin: int
    head: Checkpoint

    def __str__(self) -> str:
        return f"leaves {self.begin} to {self.head.size - 1}"


@dataclass(frozen=True, slots=True)
class HandOver:
    """`checkpoint` is the first under the new origin, `old` the head that was restored."""

    checkpoint: Checkpoint
    at: datetime
    old: Checkpoint
    lost: Lost | None

    def text(self) -> str:
        """What is signed."""
        lines = [f"restored {self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", f"old {_head(self.old)}"]
        if self.lost:
            lines.append(f"lost {self.lost.begin} {_head(self.lost.head)}")
        return self.checkpoint.text() + "".join(f"{line}\n" for line in lines)

    def tells_of(self, kept: Checkpoint) -> bool:
        """Whether a checkpoint that somebody kept is of a line that ended here, beyond its end."""
        end = self._end(kept.origin)
        return end is not None and kept.size > end

    def words(self, kept: Checkpoint) -> str:
        """What became of the leaves of such a checkpoint."""
        begin = self._end(kept.origin)
        told = f"restored from an older backup, told of on {self.at:%Y-%m-%d}: leaves {begin} to {kept.size - 1} are lost"
        known = self.lost.head.size if self.lost and kept.origin == self.lost.head.origin else self.old.size
        more = "" if kept.size <= known else f"; those from {known} on were not known of then"
        return told + more

    def _end(self, origin: str) -> int | None:
        """How many leaves of that line there still are; None if it is another line. What is lost may be of an earlier one."""
        if self.lost and origin == self.lost.head.origin:
            return self.lost.begin
        return self.old.size if origin == self.old.origin else None


def begin_line(old: Checkpoint, base: str, at: datetime, mark: str, lost: Lost | None) -> HandOver:
    """From that head to a new origin, which begins with `base`; `mark` tells apart what was restored in one second."""
    origin = f"{base}{LATER}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{mark}"
    return HandOver(Checkpoint(origin, old.size, old.root), at, old, lost)


def handover_of(text: str) -> HandOver | None:
    """What a checkpoint's text says of a restore; None for any other checkpoint. Raises NoteError."""
    lines = dict(line.split(" ", 1) for line in text.split("\n")[3:] if " " in line)
    if "restored" not in lines:
        return None
    try:
        at = datetime.strptime(lines["restored"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        lost = None
        if said := lines.get("lost"):
            begin, head = said.split(" ", 1)
            lost = Lost(int(begin), _checkpoint(head))
        return HandOver(checkpoint_of(text), at, _checkpoint(lines["old"]), lost)
    except (KeyError, ValueError):
        raise NoteError("it tells of a restore in a form that is not known") from None


async def read_handovers(connection: Any, keys: Iterable[VerifierKey]) -> list[HandOver]:
    """All that are signed by these keys, in their order."""
    known, found = list(keys), list[HandOver]()
    for row in await connection.fetch(_HANDOVERS):
        try:
            told = handover_of(open_note(row[0], known))
        except NoteError:
            continue  # verify names it where it stands
        if told:
            found.append(told)
    return found


def told_of(kept: Checkpoint, handovers: Sequence[HandOver]) -> HandOver | None:
    """The hand-over that tells what became of a checkpoint that somebody kept; the last one knows most."""
    return next((told for told in reversed(handovers) if told.tells_of(kept)), None)


def goes_on(before: Checkpoint, after: Checkpoint, told: HandOver | None) -> str:
    """Why a checkpoint cannot follow the one before it, as far as origins say; empty if it can."""
    if told is not None:
        return "" if told.old == before else "it begins a new origin, and does not name the head before it"
    if after.origin != before.origin and line_of(after.origin) == line_of(before.origin):
        return "its origin is another one than before, and no hand-over tells of a restore"
    return ""


def _head(head: Checkpoint) -> str:
    return f"{head.origin} {head.size} {base64.b64encode(head.root).decode()}"


def _checkpoint(said: str) -> Checkpoint:
    origin, size, root = said.split(" ")
    try:
        decoded = base64.b64decode(root, validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != HASH or int(size) < 0:
        raise ValueError("no head")
    return Checkpoint(origin, int(size), decoded)
