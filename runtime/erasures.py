"""The list of erasures where it is kept, outside the store; compared with the store at every start, and replayed from."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import httpx

from ledger import erasures
from ledger.engine import Connection
from ledger.erasable import Moved, Who
from ledger.erase import replay as replay_one
from ledger.erasures import Line, Place, hash_line, read_line, write_line
from ledger.note import NoteError, Signer, VerifierKey, verifiers_of
from ledger.visit import OutOfReach, visit
from runtime.deeds import order
from runtime.workflow_id import workflow_id
from settings import Settings
from settings.erasing import ErasureList

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(10.0)
_PATIENCE = 600.0
"""Seconds for a statement that reads whole tables."""
_AGAIN = 5.0
"""Seconds until the list is compared again."""
TRIES = 5
"""So often an erasure begins again when the person gets another name meanwhile."""
_ShelfErrors = (OSError, httpx.HTTPError)
WHAT_TO_DO = "run ./hookledger ledger erase --replay, which erases them again, then start this"


class ListAway(Exception):
    """The list cannot be reached now; the text says why."""


class ListBroken(Exception):
    """What is on the list cannot be gone on from; the text says what is wrong with it."""


class Lacking(Exception):
    """The store lacks erasures that are on the list: an older backup, or an erasure that was cut off."""

    def __init__(self, numbers: Sequence[int]) -> None:
        many = f"{len(numbers)} erasures that are" if len(numbers) > 1 else "an erasure that is"
        super().__init__(f"the store lacks {many} on the list outside it ({_shown(numbers)}): {WHAT_TO_DO}")
        self.numbers = tuple(numbers)


class Shelf(Protocol):
    """Keeps one line by number. Both raise OSError or httpx.HTTPError while it cannot be reached."""

    async def read(self, number: int) -> str | None:
        """None if nothing is there."""
        ...

    async def add(self, number: int, line: str) -> bool:
        """Puts a line there for good; False if there is one already."""
        ...


class FolderShelf:
    """A folder: a file for each line, made whole or not at all, and never replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, number: int) -> str | None:
        """None if nothing is there."""
        try:
            return await asyncio.to_thread(self._path(number).read_text, encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    async def add(self, number: int, line: str) -> bool:
        """On the disk, file and name, before it returns."""
        return await asyncio.to_thread(self._write, number, line)

    def _write(self, number: int, line: str) -> bool:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self._folder / f".{uuid4().hex}.new"
        with half.open("w", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(half, self._path(number))
        except FileExistsError:
            return False
        finally:
            half.unlink()
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.json"


class AddressShelf:
    """An address that takes `PUT {url}/{number}` once each (If-None-Match, RFC 9110, 13.1.2), and shows it by GET."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def read(self, number: int) -> str | None:
        """None if nothing is there."""
        answer = await self._call("GET", number, None, {})
        return None if answer.status_code in (204, 404) else answer.raise_for_status().text

    async def add(self, number: int, line: str) -> bool:
        """False on 409 or 412."""
        headers = {"Content-Type": "application/json", "If-None-Match": "*"}
        answer = await self._call("PUT", number, line + "\n", headers)
        if answer.status_code in (409, 412):
            return False
        answer.raise_for_status()
        return True

    async def _call(
        self, method: str, number: int, content: str | None, headers: dict[str, str]
    ) -> httpx.Response:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            url = f"{self._url}/{number:08d}.json"
            return await client.request(method, url, content=content, headers=self._headers | headers)


@dataclass(frozen=True, slots=True)
class List:
    """The list as configured, and the keys that verify it."""

    shelf: Shelf
    keys: Sequence[VerifierKey]

    async def line(self, number: int) -> Line | None:
        """One line; None after the last. Raises ListBroken, ListAway."""
        try:
            written = await self.shelf.read(number)
        except _ShelfErrors as wrong:
            raise _away(wrong) from None
        if written is None:
            return None
        try:
            return read_line(written, number, self.keys)
        except NoteError as wrong:
            raise ListBroken(f"line {number} of the list of erasures: {wrong}") from None

    async def append(self, head: Place | None, certificate: str, signer: Signer) -> Place:
        """Puts a certificate behind the head that the store knows. Raises Lacking if there is more already; ListAway."""
        number, previous = (head.number + 1, head.hash) if head else (1, erasures.NOTHING)
        line = write_line(number, previous, certificate, signer)
        try:
            added = await self.shelf.add(number, line)
        except _ShelfErrors as wrong:
            raise _away(wrong) from None
        if not added:
            raise Lacking([number])
        return Place(number, hash_line(line))

    async def lacking(self, connection: Connection) -> AsyncGenerator[Line]:
        """The lines that the store does not have, in order; their chain is checked. Raises ListBroken."""
        number, before = await erasures.first_lacking(connection), None
        while line := await self.line(number):
            if before is None and number > 1:
                before = await self.line(number - 1)
            if line.previous != (before.hash if before else erasures.NOTHING):
                raise ListBroken(f"line {number} of the list of erasures does not follow the one before it")
            if not await erasures.has_number(connection, number):
                yield line
            number, before = number + 1, line


def list_of(settings: Settings) -> List | None:
    """As configured in `[ledger.erasures]`."""
    shelf = _shelf(settings.ledger.erasures)
    return List(shelf, listed_keys(settings)) if shelf else None


def _shelf(configured: ErasureList | None) -> Shelf | None:
    match configured:
        case ErasureList(folder=Path() as folder):
            return FolderShelf(folder)
        case ErasureList(url=str() as url, token=token):
            return AddressShelf(url, token)
        case _:
            return None


class NoKeeper(Exception):
    """This process is not given what erasing needs; the text says what."""


def as_keeper(settings: Settings) -> AbstractAsyncContextManager[Connection]:
    """A transaction of the keeper's role, which may take its time. Raises NoKeeper, OutOfReach."""
    if settings.store.keeper_url is None:
        raise NoKeeper("store.keeper_url is not given to this process: only the keeper's role may erase")
    return visit(settings.store.model_copy(update={"url": settings.store.keeper_url}), _PATIENCE)


def whom(tenant: str, subject: UUID) -> Who:
    """A person, whose workflow has no login in its id from then on."""
    return Who(subject, tenant, workflow_id(tenant, None, subject))


async def find_lacking(settings: Settings) -> Sequence[int]:
    """Numbers of the lines that the store does not have. Raises ListBroken, ListAway, OutOfReach."""
    listed = list_of(settings)
    if listed is None:
        return ()
    async with visit(settings.store) as connection:
        return [line.number async for line in listed.lacking(connection)]


async def compare(settings: Settings) -> None:
    """Raises Lacking if the list has what the store has not, ListBroken, ListAway, OutOfReach."""
    listed = list_of(settings)
    if listed is None:
        return
    if numbers := await find_lacking(settings):
        raise Lacking(numbers)
    async with visit(settings.store) as connection:
        head = await erasures.head(connection)
    if head is not None:
        last = await listed.line(head.number)
        if last is None:
            log.error(
                "the list of erasures ends before line %d, which the store has: find the rest of it, "
                "else a restored backup brings people back",
                head.number,
            )
        elif last.hash != head.hash:
            raise ListBroken(f"line {head.number} of the list of erasures is another one than the store's")


async def may_serve(settings: Settings) -> bool:
    """Whether the store was found to have every erasure on the list; False while one of the two is out of reach.

    A process that may erase does again what lacks. Raises Lacking, ListBroken: nothing may be served then.
    """
    try:
        try:
            await compare(settings)
        except Lacking:
            if settings.store.keeper_url is None or not listed_keys(settings):
                raise
            await replay(settings, "hookledger", "the list of erasures was ahead of the store at a start")
            await compare(settings)
    except (OutOfReach, ListAway) as wrong:
        log.warning("the list of erasures is not compared with the store yet: %s", wrong)
        return False
    return True


def listed_keys(settings: Settings) -> Sequence[VerifierKey]:
    """The keys that verify the list, as far as this process is given them."""
    return verifiers_of(settings.ledger.seal)


async def until_compared(settings: Settings) -> str:
    """Tries until it was; gives why nothing may be served, empty if all may."""
    while True:
        try:
            if await may_serve(settings):
                return ""
        except (Lacking, ListBroken) as wrong:
            return str(wrong)
        await asyncio.sleep(_AGAIN)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: lines by number, and those whose person this store has never known."""

    done: Sequence[int]
    not_there: Sequence[int]


async def replay(settings: Settings, actor: str, reason: str) -> Replayed:
    """Erases again whoever is on the list and not in the store's; to be run before a restored store serves.

    Each line in a transaction of its own, so that a replay that was stopped goes on where it was. Without a list nothing
    is done. Raises OutOfReach, ListBroken, ListAway, NoKeeper.
    """
    listed = list_of(settings)
    if listed is None:
        return Replayed((), ())
    if not listed.keys:
        raise NoKeeper(
            "no key of [ledger.seal] is given to this process: what is on the list cannot be verified"
        )
    done: list[int] = []
    gone: list[int] = []
    async with visit(settings.store) as looking:
        lines = [line async for line in listed.lacking(looking)]
    for line in lines:
        (done if await _again(settings, line, actor, reason) else gone).append(line.number)
        log.info("erasure %d of the list was done again", line.number)
    return Replayed(done, gone)


async def _again(settings: Settings, line: Line, actor: str, reason: str) -> bool:
    who = whom(line.read.tenant, line.read.person)
    ordered = order("erase", actor, reason, tenant=who.tenant, subject=who.subject)
    for _ in range(TRIES):
        try:
            async with as_keeper(settings) as connection:
                return await replay_one(connection, line, who, ordered)
        except Moved:
            continue
    raise OutOfReach("the store gives this person new names all the time: try again")


def _away(wrong: Exception) -> ListAway:
    return ListAway(f"the list of erasures cannot be reached ({type(wrong).__name__}): see [ledger.erasures]")


def _shown(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"line {shown}" if len(numbers) <= 5 else f"lines {shown}, … {numbers[-1]}"
