"""The bytes of a record: a header that can be found again after damage, a checksum, and a sealed text."""

import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from settings.spool import LONGEST

_MAGIC = b"HLS1"
_HEAD = struct.Struct("<4s4sQHHI")
"""Magic, key id, microseconds since the epoch, two places of the person, octets that follow the checksum."""
_CHECK = struct.Struct("<I")
"""CRC-32 over header and sealed text: tells damage from a key that is not there."""
_NONCE = 12
_FIXED = _HEAD.size + _CHECK.size
MOST_TEXT = LONGEST - _NONCE - 16
"""Octets of a text. A record that is longer would be taken for damage."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One record as it lies on disk. `places` are where its person is counted (see state.py)."""

    key_id: bytes
    at: int
    places: tuple[int, int]
    head: bytes
    sealed: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Octets in which no record can be read, up to the next one that can or the end."""

    start: int
    end: int


class Keys:
    """The keys by their ids. The first one seals, all open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers: Mapping[bytes, AESGCM] = {key_id(key): AESGCM(key) for key in keys}
        self.current = key_id(keys[0])

    def pack(self, text: bytes, at: int, places: tuple[int, int]) -> bytes:
        """The whole record. Its header is bound to the text, so that neither can be given to another record.

        Raises ValueError for a text that is too long to be read again.
        """
        if len(text) > MOST_TEXT:
            raise ValueError("longer than a record may be")
        length = _NONCE + len(text) + 16
        head = _HEAD.pack(_MAGIC, self.current, at, *places, length)
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._ciphers[self.current].encrypt(nonce, text, head)
        return head + _CHECK.pack(zlib.crc32(sealed, zlib.crc32(head))) + sealed

    def knows(self, frame: Frame) -> bool:
        """Whether the record's key is among these."""
        return frame.key_id in self._ciphers

    def open(self, frame: Frame) -> bytes | None:
        """The text, or None if this is no record of ours, whatever its checksum says."""
        cipher = self._ciphers.get(frame.key_id)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(frame.sealed[:_NONCE], frame.sealed[_NONCE:], frame.head)
        except InvalidTag:
            return None


def key_id(key: bytes) -> bytes:
    """Four octets that name a key."""
    return sha256(b"hookledger/spool/key\x00" + key).digest()[:4]


def read(data: bytes, start: int = 0) -> Iterator[Frame | Damage]:
    """What stands there, in order. Never raises, whatever the octets are."""
    while start < len(data):
        frame = _at(data, start)
        if frame is None:
            end = _next(data, start + 1)
            yield Damage(start, end)
            start = end
        else:
            yield frame
            start = frame.end


def _at(data: bytes, start: int) -> Frame | None:
    if len(data) - start < _FIXED:
        return None
    head = data[start : start + _HEAD.size]
    magic, key, at, first, second, length = _HEAD.unpack(head)
    end = start + _FIXED + length
    if magic != _MAGIC or not _NONCE + 16 <= length <= LONGEST or end > len(data):
        return None
    sealed = data[start + _FIXED : end]
    (check,) = _CHECK.unpack_from(data, start + _HEAD.size)
    if zlib.crc32(sealed, zlib.crc32(head)) != check:
        return None
    return Frame(key, at, (first, second), head, sealed, start, end)


def _next(data: bytes, start: int) -> int:
    """Where the next whole record begins, or the end."""
    while (found := data.find(_MAGIC, start)) >= 0:
        if _at(data, found) is not None:
            return found
        start = found + 1
    return len(data)
