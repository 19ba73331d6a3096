"""Computes entitlements anew: what each entry says that a keeper did is done again, by the same code, in a copy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from activities._bind import event_told
from activities._registry import registry
from activities._tools import Db, Tools
from ledger import rebuilding, work
from ledger.engine import Connection
from ledger.events import Stored, load

_MOST = 500
"""Entries at a time."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How it went. `erased` are people of whom a body has been erased, or retention has dropped something: nothing can
    be said of them any more."""

    entries: int
    erased: int
    comparison: rebuilding.Comparison
    written: bool


async def rebuild(
    connection: Connection, tenant: str, *, write: bool, most: int, seen: Callable[[int, int], None]
) -> Rebuilt:
    """Compares, and with `write` replaces what differs, in one transaction that the caller commits.

    `most` differences are given; `seen` hears the entry it has come to, and the last.
    """
    last = await rebuilding.begin(connection, tenant)
    at, count = 0, 0
    erased = await rebuilding.incomplete(connection, tenant)
    async with httpx.AsyncClient() as nobody:
        while kept := await rebuilding.next_kept(connection, tenant, at, _MOST):
            stored = await load(connection, [entry.delivery for entry in kept])
            for entry in kept:
                told = stored.get(entry.delivery)
                if told is None:
                    continue  # dropped, and its person is among the incomplete
                if told.request is None:
                    erased.add(UUID(told.subject))
                else:
                    await _again(connection, entry, told, nobody)
            count += len(kept)
            at = kept[-1].id
            seen(at, last)
    seen(last, last)
    unknowable = sorted(erased)
    compared = await rebuilding.compare(connection, tenant, unknowable, most)
    written = write and bool(compared.differences)
    if written:
        await rebuilding.replace(connection, tenant, unknowable)
    return Rebuilt(count, len(erased), compared, written)


async def _again(
    connection: Connection, entry: rebuilding.Kept, told: Stored, nobody: httpx.AsyncClient
) -> None:
    db = Db(_no_reads)
    tools = Tools(key="", attempt=1, db=db, http=nobody, settings={}, heartbeat=lambda: None)
    await registry()[entry.activity].call([event_told(told)], tools)
    await work.apply_writes(connection, db.writes)


async def _no_reads(_: work.Write) -> list[Mapping[str, Any]]:
    raise RuntimeError("a keeper of entitlements only writes")
