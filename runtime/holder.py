"""Hands the newest checkpoint to somebody who keeps it elsewhere; never in place of one that is not of our past."""

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from ledger.handover import read_handovers, told_of
from ledger.note import LATER, NoteError, VerifierKey, open_checkpoint
from ledger.seal import Head, read_edge
from ledger.sealed import Held
from settings.sealing import Holder

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(10.0)
_NONE = (204, 404, 405)
"""Statuses of an address that has no checkpoint to show, or shows none."""


class Keeper(Protocol):
    """Keeps one checkpoint. Both raise OSError or httpx.HTTPError while they cannot be reached."""

    async def newest(self) -> str | None:
        """What is kept now."""
        ...

    async def keep(self, note: str) -> None:
        """Puts this in its place."""
        ...


class FileKeeper:
    """A file: a mounted volume, a share, a bucket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def newest(self) -> str | None:
        """None before the first."""
        try:
            return await asyncio.to_thread(self._path.read_text, encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    async def keep(self, note: str) -> None:
        """Whole, or not at all."""
        await asyncio.to_thread(self._write, note)

    def _write(self, note: str) -> None:
        half = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with half.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._path)


class AddressKeeper:
    """An address that takes PUT, and shows what it has by GET."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def newest(self) -> str | None:
        """None before the first."""
        answer = await self._call("GET", None)
        return None if answer.status_code in _NONE else answer.raise_for_status().text

    async def keep(self, note: str) -> None:
        """As text/plain."""
        (await self._call("PUT", note)).raise_for_status()

    async def _call(self, method: str, content: str | None) -> httpx.Response:
        headers = self._headers | ({"Content-Type": "text/plain; charset=utf-8"} if content else {})
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            return await client.request(method, self._url, content=content, headers=headers)


def keeper_of(holder: Holder | None) -> Keeper | None:
    """As configured."""
    match holder:
        case Holder(file=Path() as path):
            return FileKeeper(path)
        case Holder(url=str() as url, token=token):
            return AddressKeeper(url, token)
        case _:
            return None


async def hand_over(keeper: Keeper, head: Head, keys: Sequence[VerifierKey], connection: Any) -> Held:
    """Gives the newest checkpoint, unless what is kept shows that this ledger is not the one it was."""
    try:
        kept = await keeper.newest()
        if kept == head.note:
            return "kept"
        if kept is not None and (wrong := await _not_our_past(kept, head, keys, connection)):
            log.error("the checkpoint kept elsewhere stays: %s; run ./hookledger ledger verify", wrong)
            return "refused"
        await keeper.keep(head.note)
    except (OSError, httpx.HTTPError) as wrong:
        log.warning("the holder of checkpoints cannot be reached: %s", type(wrong).__name__)
        return "not reached"
    return "kept"


async def _not_our_past(kept: str, head: Head, keys: Sequence[VerifierKey], connection: Any) -> str:
    """In words; empty if it is."""
    try:
        checkpoint = open_checkpoint(kept, keys)
    except NoteError as wrong:
        return f"what is there is no checkpoint of this ledger, {wrong}"
    if LATER in head.checkpoint.origin and (
        told := told_of(checkpoint, await read_handovers(connection, keys))
    ):
        # Only what a restore has told of is set back: to what the ledger goes on from, with the loss in its text.
        known = told.lost.head.size if told.lost else told.old.size
        return (
            ""
            if checkpoint.size <= known
            else f"it is of {checkpoint.size} leaves, and the restore knew of {known}"
        )
    if checkpoint.size > head.checkpoint.size:
        return f"it is of {checkpoint.size} leaves, and this ledger has {head.checkpoint.size}"
    try:
        edge = await read_edge(connection, checkpoint.size)
    except (KeyError, ValueError):
        return "leaves of its time are missing"
    return "" if edge.root() == checkpoint.root else "this ledger's tree of its size is another one"
