"""A zip archive that is written as a stream: to a file, a pipe or a network connection, none of which can be gone back in."""

import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

Write = Callable[[bytes], Awaitable[None]]
"""Takes the archive's bytes as they come."""

_CHUNK = 1 << 16
_LEVEL = 4
"""Of zlib: half the time of the usual 6, and a few per cent larger."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What the manifest says of a file. `rows` is None where there are none."""

    bytes: int
    sha256: str
    rows: int | None = None

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        told = {"bytes": self.bytes, "sha256": self.sha256}
        return told if self.rows is None else {"rows": self.rows, **told}


class Member:
    """A file of the archive while it is written."""

    def __init__(self, archive: "Archive", file: IO[bytes]) -> None:
        self._archive = archive
        self._file = file
        self._hash = sha256()
        self._bytes = 0
        self.rows = 0

    async def put(self, data: bytes, rows: int = 0) -> None:
        """Appends, and hands on what has become of it."""
        self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)
        self.rows += rows
        await self._archive.hand_on(_CHUNK)

    def fact(self) -> Fact:
        """What was written so far."""
        return Fact(self._bytes, self._hash.hexdigest(), self.rows)


class Archive:
    """One archive. `files` says of each file that is whole what it holds."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._pipe = _Pipe()
        # Typed for files; all that it calls of what cannot be gone back in are write and flush.
        out: Any = self._pipe
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self.files: dict[str, Fact] = {}

    @asynccontextmanager
    async def member(self, name: str) -> AsyncGenerator[Member]:
        """A file of rows, as large as it may become."""
        with self._zip.open(name, "w", force_zip64=True) as file:
            member = Member(self, file)
            yield member
        self.files[name] = member.fact()
        await self.hand_on()

    async def add(self, name: str, data: bytes) -> Fact:
        """A small file."""
        self._zip.writestr(name, data)
        self.files[name] = Fact(len(data), sha256(data).hexdigest())
        await self.hand_on()
        return self.files[name]

    async def end(self) -> None:
        """Writes the directory."""
        self._zip.close()
        await self.hand_on()

    async def hand_on(self, least: int = 1) -> None:
        """What has gathered, once it is so much."""
        if self._pipe.size >= least:
            await self._write(self._pipe.take())


class _Pipe:
    """Holds what zipfile writes until it is handed on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts, self.size = [], 0
        return data
