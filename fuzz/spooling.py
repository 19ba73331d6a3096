"""The spool's reader: whatever became of the files, every whole record is read, once, in order, and nothing else is."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

from api.spooled import read as read_record
from runtime.spool.frames import Damage, Frame, Keys, read
from runtime.spool.journal import Journal

_KEY = bytes(range(32))
_TEXTS = (b"", b"a", b"{}" * 40, b"HLS1" * 9)
"""One of them looks like the head of a record itself."""
_MOST_EDITS = 64
_MEMORY = Path("/dev/shm")


class Wrong(AssertionError):
    """What must never be; the text says what."""


def _records() -> tuple[bytes, ...]:
    # The same in every process, so that an input means the same in every process.
    with patch("os.urandom", bytes):
        keys = Keys([_KEY])
        return tuple(keys.pack(text, 1_000_000 + n, (n, n)) for n, text in enumerate(_TEXTS))


_RECORDS = _records()


def check(data: bytes) -> None:
    """One input: read as it is, as a record's text, and as what happened to a journal. Raises Wrong, or whatever escaped."""
    _covers(data)
    with suppress(ValueError):
        read_record(data)
    files = _files(data)
    for file in files:
        _covers(file)
    expected = [text for file in files for text in _whole(file)]
    if (got := _read_by_a_journal(files)) != expected:
        raise Wrong(f"{len(expected)} whole records, of which {len(got)} were read, or in another order")


def _covers(data: bytes) -> None:
    """Records and damage lie one behind the other, from the first octet to the last."""
    at = 0
    for found in read(data):
        if found.start != at or found.end <= found.start:
            raise Wrong("what was found does not begin where the last one ended")
        if isinstance(found, Damage) and any(record in data[found.start : found.end] for record in _RECORDS):
            raise Wrong("a whole record is taken for damage")
        at = found.end
    if at != len(data):
        raise Wrong("not all octets were looked at")


def _files(data: bytes) -> list[bytes]:
    """What an input makes of journals: each pair of octets is a record appended, an octet changed, cut off or put in.

    The first two octets say how many octets of the result are the first of two files.
    """
    made = bytearray()
    for what, value in zip(data[2:_MOST_EDITS:2], data[3:_MOST_EDITS:2], strict=False):
        place = value * max(len(made), 1) // 256
        match what % 8:
            case 0 | 1 | 2 | 3:
                made += _RECORDS[what % 4]
            case 4 if made:
                made[place] ^= 1 + what // 8
            case 5:
                del made[place:]
            case 6:
                made[place:place] = data[2:_MOST_EDITS]
            case _:
                del made[place : place + 1 + what // 8]
    split = int.from_bytes(data[:2], "big") % (len(made) + 1) if len(data) > 1 else 0
    return [bytes(made[:split]), bytes(made[split:])] if split else [bytes(made)]


def _whole(file: bytes) -> Iterator[bytes]:
    """The texts of the whole records, found by comparing with all that were ever written."""
    at = 0
    while at < len(file):
        for text, record in zip(_TEXTS, _RECORDS, strict=True):
            if file.startswith(record, at):
                yield text
                at += len(record)
                break
        else:
            at += 1


def _read_by_a_journal(files: list[bytes]) -> list[bytes]:
    folder = Path(tempfile.mkdtemp(prefix="spool-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        for number, data in enumerate(files, 1):
            (folder / f"journal-{number}.spool").write_bytes(data)
        journal = Journal(folder, [_KEY], 1 << 30)
        try:
            return list(_replayed(journal))
        finally:
            journal.close()
    finally:
        shutil.rmtree(folder)


def _replayed(journal: Journal) -> Iterator[bytes]:
    for _ in range(_MOST_EDITS * 4):
        if not (frames := journal.next()):
            break
        for frame in frames:
            yield _text(journal, frame)
        journal.done(frames)
    figures = journal.figures()
    if figures.records:
        raise Wrong(f"all is read, but {figures.records} records are said to wait")


def _text(journal: Journal, frame: Frame) -> bytes:
    text = journal.open(frame)
    if text is None:
        raise Wrong("a record that cannot be opened was made of damage")
    return text


def seeds() -> Iterator[bytes]:
    """Inputs to grow from: whole journals, and each way to damage one."""
    for edit in range(8):
        yield bytes((0, 0, 0, 0, 1, 0, edit, 128, 2, 0, 3, 0))
        yield bytes((0, 90, 0, 0, 3, 0, edit, 200, 2, 0))
    yield from _RECORDS
    yield os.linesep.join('[{"delivery":{}}]' for _ in range(2)).encode()
