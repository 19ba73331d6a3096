"""What the processes of one host know together of the spool: counters in memory that they share."""

import mmap
import os
import struct
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

PLACES = 1 << 15
"""People are counted by a keyed hash in so many places; two who share one wait for each other, and lose nothing."""
_HEAD = struct.Struct("<10Q")
_PLACE = struct.Struct("<H")
_SIZE = 128 + PLACES * _PLACE.size


@dataclass
class Counts:
    """Everything but the places. Segments are numbered from 1; offsets are octets."""

    waiting: int = 0
    """Records that are not recorded yet."""
    octets: int = 0
    """Of all segments on disk."""
    first: int = 1
    """The segment that is read from, at `offset`."""
    offset: int = 0
    last: int = 1
    """The segment that is written to, whole up to `written`."""
    written: int = 0
    appended: int = 0
    replayed: int = 0
    damaged: int = 0
    oldest: int = 0
    """When the record that is next was received, in microseconds since the epoch; 0 without one."""


class State:
    """A file that all processes map. Only who holds the journal's lock writes to it."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            # Its blocks now, not when it is written to: memory mapped on a full disk would end the process.
            os.posix_fallocate(file.fileno(), 0, _SIZE)
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @property
    def waits(self) -> bool:
        """Whether anything waits: two reads of memory, for the answer path."""
        return self._map[:8] != b"\x00\x00\x00\x00\x00\x00\x00\x00"

    def waits_for(self, places: Iterable[int]) -> bool:
        """Whether something of that person waits, or of one who shares a place with them."""
        return any(_PLACE.unpack_from(self._map, _offset(place))[0] for place in places)

    def read(self) -> Counts:
        """The counters of this moment."""
        return Counts(*_HEAD.unpack_from(self._map, 0))

    def write(self, counts: Counts) -> None:
        """Replaces the counters at once."""
        self._map[: _HEAD.size] = _HEAD.pack(*astuple(counts))

    def count(self, places: Iterable[int], by: int) -> None:
        """Counts a person's record in or out."""
        for place in places:
            (now,) = _PLACE.unpack_from(self._map, _offset(place))
            _PLACE.pack_into(self._map, _offset(place), min(max(now + by, 0), 0xFFFF))

    def forget(self) -> None:
        """Nobody waits."""
        self._map[128:] = bytes(_SIZE - 128)

    def close(self) -> None:
        """Ends the mapping."""
        self._map.close()


def _offset(place: int) -> int:
    return 128 + place % PLACES * _PLACE.size
