"""Reads a file of people: which kind it is, its encoding and hash, and its rows, a chunk at a time."""

import codecs
import csv
import hashlib
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Literal

from commands.importing.mapping import ColumnMap, Columns, columns_of
from ledger.importing import Finding

Cells = list[str]
Row = tuple[int, Cells | bytes]
"""The line that a row begins on, and the cells of CSV or the bytes of JSON."""

_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
_JSON_NAMES = frozenset({".jsonl", ".ndjson", ".json"})
_BROKEN = re.compile("[\udc80-\udcff]")
_FINE = re.compile("[^\0-\x7f\udc80-\udcff]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileError(Exception):
    """The file cannot be imported; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that has been looked over once. `encoding` is None for JSON lines, which are UTF-8."""

    path: Path
    kind: Literal["csv", "json"]
    size: int
    hash: str
    encoding: str | None = None
    delimiter: str = ","
    columns: Columns | None = None

    @property
    def reading(self) -> str:
        """Names the way in which it is read: the same bytes under another mapping say something else."""
        return self.columns.fingerprint if self.columns else "json"


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Rows in the order of the file, up to the line `last`; `end` is the byte that has been read up to, for the progress bar."""

    rows: list[Row]
    findings: list[Finding]
    last: int
    end: int


def look_over(path: Path, mapping: ColumnMap | None) -> Source:
    """Raises FileError, MappingError."""
    try:
        with path.open("rb") as file:
            first = file.read(_BLOCK)
            kind = _kind(path, first)
            file.seek(0)
            hash_, encoding = _hash_and_encoding(file)
            size = file.tell()
    except OSError as wrong:
        raise FileError(f"{path}: cannot be read: {wrong.strerror}") from None
    if kind == "json":
        if mapping is not None:
            raise FileError(f"{path}: holds JSON lines, whole users: --mapping is for CSV")
        return Source(path, "json", size, hash_)
    encoding = (mapping and mapping.encoding) or encoding
    if not size:
        return Source(path, "csv", 0, hash_, encoding, columns=Columns(0, ()))
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
        begin = text.readline(_BLOCK)
        delimiter = (mapping and mapping.delimiter) or max(_DELIMITERS, key=begin.count)
        text.seek(0)
        header = next(csv.reader(text, delimiter=delimiter), list[str]())
    return Source(path, "csv", size, hash_, encoding, delimiter, columns_of(header, mapping))


def _kind(path: Path, first: bytes) -> Literal["csv", "json"]:
    begin = first.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if begin == b"[":
        raise FileError(f"{path}: holds one JSON array: write one user a line, as jq -c '.[]' does")
    if path.suffix.lower() in _JSON_NAMES or begin == b"{":
        return "json"
    return "csv"


def _hash_and_encoding(file: BinaryIO) -> tuple[str, str]:
    """UTF-8 if it is, or if more of it is than is not: then single lines are broken. Else Windows-1252."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    broken = fine = 0
    utf16 = None
    while block := file.read(_BLOCK):
        if not broken and not fine and block.startswith(_UTF16):
            utf16 = "utf-16"
        digest.update(block)
        text = decoder.decode(block)
        if not text.isascii():
            broken += len(_BROKEN.findall(text))
            fine += len(_FINE.findall(text))
    return digest.hexdigest(), utf16 or ("cp1252" if broken > fine else "utf-8-sig")


def chunks(source: Source, rows: int, after: int, longest: int) -> Iterator[RawChunk]:
    """Chunks of at most so many rows, of lines behind `after`; no row is longer than `longest` bytes."""
    with (
        source.path.open("rb") as file,
        closing(_json(file, longest) if source.kind == "json" else _csv(file, source, longest)) as read,
    ):
        waiting: list[Row] = []
        findings: list[Finding] = []
        line = after
        for row in read:
            line = row.line if isinstance(row, Finding) else row[0]
            if line <= after:
                continue
            if isinstance(row, Finding):
                findings.append(row)
            else:
                waiting.append(row)
            if len(waiting) + len(findings) >= rows:
                yield RawChunk(waiting, findings, line, file.tell())
                waiting, findings = [], []
        if waiting or findings:
            yield RawChunk(waiting, findings, line, source.size)


def _csv(file: BinaryIO, source: Source, longest: int) -> Generator[Row | Finding]:
    csv.field_size_limit(longest)
    text = TextIOWrapper(file, encoding=source.encoding, errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=source.delimiter)
    begin = 1
    try:
        while True:
            try:
                cells = next(reader)
            except csv.Error:
                yield Finding(begin, "too large")
            except StopIteration:
                return
            else:
                if begin > 1 and cells:
                    yield begin, cells
            begin = reader.line_num + 1
    finally:
        text.detach()


def _json(file: BinaryIO, longest: int) -> Generator[Row | Finding]:
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > longest and not line.endswith(b"\n"):
            while len(line) > longest and not line.endswith(b"\n"):
                line = file.readline(longest + 1)
            yield Finding(number, "too large")
        elif not line.isspace() and line:
            yield number, line
