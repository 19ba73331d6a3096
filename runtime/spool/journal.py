"""The spool's files: one journal for all processes of a host, written under a lock, read by one of them."""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runtime.spool.frames import Damage, Frame, Keys, read
from runtime.spool.state import Counts, State

log = logging.getLogger(__name__)

_SEGMENT = 16 * 1024 * 1024
_RESERVE = 64 * 1024 * 1024
"""Octets of the disk that are left to others."""


class NoRoom(Exception):
    """The spool is full, or its disk is: nothing was kept."""


class TooLong(NoRoom):
    """The record is longer than any may be: nothing was kept."""


@dataclass(frozen=True, slots=True)
class Figures:
    """For health and metrics. `age` is that of the oldest record, in seconds; the totals are of this host's life."""

    records: int
    octets: int
    age: float
    appended: int
    replayed: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be kept: its text, when it was received (microseconds), and where its person is counted."""

    text: bytes
    at: int
    places: tuple[int, int]


class Journal:
    """Files `journal-N.spool` in a folder on a local disk. All methods may wait for the disk."""

    def __init__(self, folder: Path, keys: Sequence[bytes], most: int) -> None:
        self._folder, self._most = folder, most
        self._keys = Keys(keys)
        _make(folder)
        with contextlib.ExitStack() as opening:
            self._lock, self._users, self._reader = (
                opening.enter_context((folder / name).open("ab")) for name in ("lock", "users", "reader")
            )
            self.state = State(folder / "state")
            opening.callback(self.state.close)
            with self._alone():
                if _try(self._users, fcntl.LOCK_EX):
                    # Nobody else is here: what memory says may be of another boot, so the files are asked.
                    self._recover()
                fcntl.flock(self._users, fcntl.LOCK_SH)
            self._opened = opening.pop_all()

    def append(self, entries: Sequence[Entry]) -> None:
        """Keeps them, on disk when this returns. Raises NoRoom; then none is kept."""
        data = b"".join(self._keys.pack(entry.text, entry.at, entry.places) for entry in entries)
        with self._alone():
            counts = self.state.read()
            if len(data) > self.free():
                raise NoRoom
            if counts.written > _SEGMENT:
                counts.last, counts.written = counts.last + 1, 0
            try:
                self._write(self._segment(counts.last), counts.written, data)
            except OSError as wrong:
                raise NoRoom from wrong
            counts.oldest = counts.oldest or entries[0].at
            counts.waiting += len(entries)
            counts.appended += len(entries)
            counts.written += len(data)
            counts.octets += len(data)
            for entry in entries:
                self.state.count(entry.places, 1)
            self.state.write(counts)

    @contextmanager
    def reading(self) -> Generator[bool]:
        """True for the one process of the host that may record what waits, as long as the block lasts."""
        mine = _try(self._reader, fcntl.LOCK_EX)
        try:
            yield mine
        finally:
            if mine:
                fcntl.flock(self._reader, fcntl.LOCK_UN)

    def next(self, most: int = 1024 * 1024) -> list[Frame]:
        """The oldest records, about so many octets of them; none is gone before `done`. Damage is set aside.

        Raises OSError if it cannot be.
        """
        with self._alone():
            counts = self.state.read()
        path = self._segment(counts.first)
        end = counts.written if counts.first == counts.last else None
        try:
            data = _slice(path, counts.offset, most if end is None else min(most, end - counts.offset))
            size = path.stat().st_size if end is None else end
        except FileNotFoundError:
            data, size = b"", 0
        frames: list[Frame] = []
        for found in read(data):
            if isinstance(found, Frame):
                frames.append(found)
            elif found.end == len(data) and counts.offset + len(data) < size:
                break  # cut by `most`, not by damage
            else:
                if not frames:
                    self._set_aside(counts.first, data[found.start : found.end])
                    self._go_to(counts.first, counts.offset + found.end, 0, ())
                    return self.next(most)
                break
        if not frames and data and counts.offset + len(data) < size:
            return self.next(most * 4)
        if not frames and (counts.first < counts.last or counts.waiting):
            self._leave(counts.first)
            return self.next(most) if counts.first < counts.last else []
        return frames

    def done(self, frames: Sequence[Frame]) -> None:
        """The first records that `next` gave are recorded; these are they."""
        counts = self.state.read()
        self._go_to(counts.first, counts.offset + frames[-1].end, len(frames), frames)

    def open(self, frame: Frame) -> bytes | None:
        """The record's text; None if it cannot be opened: `knows` tells whether for want of its key."""
        return self._keys.open(frame)

    def knows(self, frame: Frame) -> bool:
        """Whether the record's key is configured."""
        return self._keys.knows(frame)

    def set_aside(self, frame: Frame) -> None:
        """Keeps one of the records that `next` gave, which can never be recorded, still sealed, under `damaged/`.

        Raises OSError: then it is not `done`.
        """
        counts = self.state.read()
        data = _slice(self._segment(counts.first), counts.offset + frame.start, frame.end - frame.start)
        self._set_aside(counts.first, data)

    def everything(self) -> Iterator[Frame | Damage]:
        """All that waits, without changing anything: for a person who looks."""
        with self._alone():
            counts = self.state.read()
        for number in range(counts.first, counts.last + 1):
            with contextlib.suppress(FileNotFoundError):
                data = self._segment(number).read_bytes()
                yield from read(data, counts.offset if number == counts.first else 0)

    def figures(self) -> Figures:
        """How the spool stands."""
        counts = self.state.read()
        age = max(0.0, time.time() - counts.oldest / 1e6) if counts.waiting and counts.oldest else 0.0
        return Figures(counts.waiting, counts.octets, age, counts.appended, counts.replayed, counts.damaged)

    def free(self) -> int:
        """Octets that may still be kept: what is left of the bound, and of the disk but for a reserve."""
        left = shutil.disk_usage(self._folder).free - _RESERVE
        return max(0, min(self._most - self.state.read().octets, left))

    def close(self) -> None:
        """Leaves the files as they are."""
        self._opened.close()

    def _go_to(self, segment: int, offset: int, records: int, frames: Sequence[Frame]) -> None:
        with self._alone():
            counts = self.state.read()
            if counts.first != segment:
                return
            counts.offset = offset
            counts.waiting = max(0, counts.waiting - records)
            counts.replayed += records
            counts.oldest = self._at(counts)
            for frame in frames:
                self.state.count(frame.places, -1)
            self.state.write(counts)
            if segment == counts.last and offset >= counts.written:
                self._begin_anew(counts)

    def _leave(self, segment: int) -> None:
        """Everything of a segment is read: it goes, with the next one before it if it was the last."""
        with self._alone():
            counts = self.state.read()
            if counts.first != segment:
                return
            path = self._segment(segment)
            if segment == counts.last:
                # A file that somebody removed must not keep everything behind it for ever.
                if counts.offset >= counts.written or not path.exists():
                    self._begin_anew(counts)
                return
            counts.octets = max(0, counts.octets - (path.stat().st_size if path.exists() else 0))
            path.unlink(missing_ok=True)
            counts.first, counts.offset = segment + 1, 0
            counts.oldest = self._at(counts)
            self.state.write(counts)

    def _begin_anew(self, counts: Counts) -> None:
        """Nothing waits: the next record begins a new segment, and the counters are right by definition."""
        self._segment(counts.last).unlink(missing_ok=True)
        _sync_folder(self._folder)
        fresh = Counts(
            first=counts.last + 1,
            last=counts.last + 1,
            appended=counts.appended,
            replayed=counts.replayed,
            damaged=counts.damaged,
        )
        self.state.forget()
        self.state.write(fresh)

    def _at(self, counts: Counts) -> int:
        """When the record there was received."""
        with contextlib.suppress(FileNotFoundError):
            for found in read(_slice(self._segment(counts.first), counts.offset, 1024 * 1024)):
                return found.at if isinstance(found, Frame) else counts.oldest
        return 0 if counts.waiting == 0 else counts.oldest

    def _recover(self) -> None:
        """Reads all files anew; an end that is no record is cut off. Raises OSError if it cannot be set aside before."""
        segments = sorted(self._folder.glob("journal-*.spool"), key=_number)
        before = self.state.read()
        counts = Counts(appended=before.appended, replayed=before.replayed, damaged=before.damaged)
        self.state.forget()
        for place, path in enumerate(segments):
            data = path.read_bytes()
            whole = len(data)
            for found in read(data):
                if isinstance(found, Frame):
                    counts.waiting += 1
                    counts.oldest = counts.oldest or found.at
                    self.state.count(found.places, 1)
                elif found.end == len(data) and place == len(segments) - 1:
                    whole = found.start
            answered = before.written if before.last == _number(path) else 0
            if whole < max(len(data), answered):
                self._cut_off(path, data, whole, answered)
                counts.damaged += whole < answered
            counts.octets += whole
        if segments:
            counts.first, counts.last = _number(segments[0]), _number(segments[-1])
            counts.written = segments[-1].stat().st_size
        else:
            counts.first = counts.last = max(before.last, 1)
        self.state.write(counts)
        if counts.waiting:
            log.warning("spool: %d records of an earlier time wait to be recorded", counts.waiting)

    def _cut_off(self, path: Path, data: bytes, whole: int, answered: int) -> None:
        """What is behind the last whole record goes. Of what was answered for, up to there, no octet goes unkept."""
        try:
            self._keep_aside(_number(path), data[whole:])
        except OSError:
            if whole < answered:
                raise
        self._write(path, whole, b"")
        if whole < answered:
            log.error("spool: %d octets that were answered for cannot be read", answered - whole)
        else:
            log.warning(
                "spool: %d octets of a record that was not answered for are cut off", len(data) - whole
            )

    def _write(self, path: Path, start: int, data: bytes) -> None:
        """Puts the octets there and nothing behind them, on the disk when this returns; all of them or none."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, start)  # what a killed process left half written
            os.lseek(handle, start, os.SEEK_SET)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
                if start == 0:
                    # As long as nothing in it was kept for good, its name may not be on the disk, whoever made it.
                    _sync_folder(path.parent)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, start)
                raise
        finally:
            os.close(handle)

    def _set_aside(self, segment: int, data: bytes) -> None:
        """On disk when this returns. Raises OSError: then they stay where they are, and what is behind them waits."""
        self._keep_aside(segment, data)
        with self._alone():
            counts = self.state.read()
            counts.damaged += 1
            self.state.write(counts)

    def _keep_aside(self, segment: int, data: bytes) -> None:
        if not data:
            return
        folder = self._folder / "damaged"
        name = folder / f"{segment}-{time.time_ns()}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(self._folder)
            _bounded(folder, self._most - len(data))
            self._write(name, 0, data)
        except OSError as wrong:
            log.error(
                "spool: %d octets cannot be recorded, nor set aside in %s (%s): make room there",
                len(data),
                folder,
                wrong.strerror,
            )
            with contextlib.suppress(OSError):
                name.unlink(missing_ok=True)
            raise
        log.error("spool: %d octets cannot be recorded and are set aside in %s", len(data), folder)

    @contextmanager
    def _alone(self) -> Generator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _segment(self, number: int) -> Path:
        return self._folder / f"journal-{number}.spool"


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("journal-"))


def _slice(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _try(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _make(folder: Path) -> None:
    """The folder and those above it, on the disk when this returns. Without the lock in it, nobody has come so far yet."""
    if (folder / "lock").exists():
        return
    made = [folder, *(above for above in folder.parents if not above.exists())]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in made:
        _sync_folder(path.parent)


def _bounded(folder: Path, most: int) -> None:
    """Raises OSError if more octets lie there."""
    if sum(file.stat().st_size for file in folder.iterdir()) > most:
        raise OSError(errno.EDQUOT, "as much as max_bytes lies there")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
