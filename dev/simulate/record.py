"""The run's own record: one JSON line per hook sent, to be held against a ledger."""

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TextIO, cast

Kind = Literal["probe", "story", "duplicate", "bad body", "rival", "stranger"]


_PASSWORDS = frozenset({"password", "passwordText"})


@dataclass(frozen=True, slots=True)
class Sent:
    """One hook as sent. `sequence` counts a user's sends from 1; `at` is UTC in ISO form."""

    id: str
    at: str
    kind: Kind
    story: str | None
    user: str | None
    sequence: int
    hook: str
    application: str | None
    body_sha256: str | None
    """Of the body without its password; null for bad bodies."""
    status: int | None
    answered: bool
    """Whether the platform of this run took it as answered: no silence, and no 503 while it keeps trying."""
    kept: bool | None
    """Whether the answer kept to the contract; null without one."""
    milliseconds: float | None


class Recorder:
    """Writes lines as hooks are answered; without a file it writes nothing."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def write(self, sent: Sent) -> None:
        """Appends one line, which is in the file before this returns."""
        if self._file is not None:
            self._file.write(json.dumps(asdict(sent), ensure_ascii=False) + "\n")


@contextmanager
def open_record(path: Path | None) -> Generator[Recorder]:
    """A recorder on a new file, which replaces an old one. Raises OSError."""
    if path is None:
        yield Recorder()
        return
    with path.open("w", encoding="utf-8", buffering=1) as file:
        yield Recorder(file)


def hash_without_password(request: dict[str, Any]) -> str:
    """SHA-256, in hex, of the compact JSON body `{"request":…}` without what is named as a password, at any depth."""
    return hashlib.sha256(encode(_without_passwords(request))).hexdigest()


def _without_passwords(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {key: _without_passwords(part) for key, part in members if key not in _PASSWORDS}
    if isinstance(value, list):
        return [_without_passwords(part) for part in cast("list[Any]", value)]
    return value


def encode(request: dict[str, Any]) -> bytes:
    """The body of a hook: compact JSON in UTF-8, as the platform's Java side writes it."""
    return json.dumps({"request": request}, ensure_ascii=False, separators=(",", ":")).encode()
