"""Deeds of which a tenant wants a second person: asked for by one, done when another approves. And bulk redrive itself."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from temporalio.client import Client

from ledger.bulk import AT_ONCE, Selection, find, redrive_some
from ledger.engine import Connection
from ledger.operate import Order, release_brake
from ledger.plan import Ref
from ledger.requests import NoSuchRequest, Request, ask, close
from runtime.client import connect
from runtime.deeds import order, ring_after
from runtime.erasing import Done as Erased
from runtime.erasing import Wish, erase_person
from settings import Settings
from settings.four_eyes import FourEyes

Begin = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a transaction, which commits at the end of the block."""

BULK: FourEyes = "bulk redrive"
BRAKE: FourEyes = "brake release"
ERASE: FourEyes = "erase"


@dataclass(frozen=True, slots=True)
class Asked:
    """A deed that waits for another person."""

    id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Redriven:
    """What was done: pieces of work, of so many people. `late` says why somebody was not rung, if so."""

    pieces: int
    people: int
    late: str | None


Carry = Callable[[Connection, Request, Order], Awaitable[None]]


async def _brake(connection: Connection, request: Request, made: Order) -> None:
    await release_brake(connection, replace(made, deed="release brake", tenant=request.tenant))


IN_ONE: Mapping[str, Carry] = {BRAKE: _brake}
"""Deeds that are done in the transaction that approves them."""


def wants_another(settings: Settings, tenant: str, deed: FourEyes) -> bool:
    """Whether this deed has to be asked for."""
    return deed in settings.tenants[tenant].four_eyes


async def request(
    begin: Begin,
    deed: FourEyes,
    actor: str,
    reason: str,
    tenant: str,
    parameters: Mapping[str, Any],
    counted: int,
) -> Asked:
    """Asks for a deed. `parameters` name work and ids, never a person."""
    made = order("requested", actor, reason, tenant=tenant)
    async with begin() as connection:
        expires = await ask(connection, made, deed, parameters, counted)
    return Asked(made.new_id, expires)


async def approve(
    begin: Begin,
    settings: Settings,
    id_: UUID,
    tenants: Collection[str],
    actor: str,
    reason: str,
    client: Client | None = None,
    *,
    admins: Collection[str] = (),
) -> tuple[Request, Redriven | Erased | None]:
    """Does what was asked for: as much as was counted, never more. If that fails it is not approved either.

    `admins`: tenants in which the checker may approve an erasure. Raises NoSuchRequest, SamePerson, MoreThanCounted,
    NoSuchWork; for an erasure Blocked, and one of runtime.erasing.Impossible.
    """
    refs: Sequence[Ref] = ()
    async with begin() as connection:
        asked = await close(connection, id_, tenants, "approved", order("approved", actor, reason))
        detail = {"request": str(id_), "approved by": actor}
        made = order("redrive", asked.maker, asked.reason or "", tenant=asked.tenant, detail=detail)
        if asked.deed == BULK:
            selection = Selection.of(asked.parameters)
            refs = await find(connection, selection, asked.counted)
        elif asked.deed == ERASE and asked.tenant in admins:
            # By the keeper's role, so in a transaction of its own; the approval is committed only when it is done.
            return asked, await erase_person(settings, _wish(asked, detail), client)
        elif asked.deed in IN_ONE:
            await IN_ONE[asked.deed](connection, asked, made)
            return asked, None
        else:
            raise NoSuchRequest(
                f"{asked.deed} is not for this person to approve, or not known to this release"
            )
    return asked, await redrive_all(begin, settings, selection, refs, made, client)


def _wish(asked: Request, detail: Mapping[str, Any]) -> Wish:
    told = asked.parameters
    return Wish(
        asked.tenant, UUID(told["person"]), asked.maker, told["code"], asked.reason or "asked for",
        told["skip_work"], told["anyway"], detail,
    )  # fmt: skip


async def reject(begin: Begin, id_: UUID, tenants: Collection[str], actor: str, reason: str) -> Request:
    """Ends a request. Raises NoSuchRequest."""
    async with begin() as connection:
        return await close(connection, id_, tenants, "rejected", order("rejected", actor, reason))


async def redrive_all(
    begin: Begin,
    settings: Settings,
    selection: Selection,
    refs: Sequence[Ref],
    like: Order,
    client: Client | None = None,
    say: Callable[[int], None] = lambda _: None,
) -> Redriven:
    """Redrives what was found, some in each transaction, each piece with an entry; rings its people. `say` hears how many.

    At a rate the sweep rings them, each when its time has come.
    """
    client = client or await connect(lazy=True)
    pieces, people, late = 0, set[UUID](), None
    pause = 1 / selection.rate if selection.rate else 0.0
    after = {ref: place * pause for place, ref in enumerate(refs)}

    def make(ref: Ref) -> Order:
        made = order(
            "redrive", like.actor, like.reason, tenant=selection.tenant, delivery=UUID(ref.delivery),
            activity=ref.activity, detail={"of many": len(refs), **like.detail},
        )  # fmt: skip
        return replace(made, after=after[ref])

    for place in range(0, len(refs), AT_ONCE):
        async with begin() as connection:
            done = await redrive_some(connection, selection, refs[place : place + AT_ONCE], make)
        pieces += sum(one.count for one in done)
        latest = {one.subject: one for one in done}
        people |= latest.keys()
        if late is None and not pause:
            said = await asyncio.gather(*(ring_after(settings, one, client) for one in latest.values()))
            late = next((words for words in said if words), None)
        say(pieces)
    return Redriven(pieces, len(people), late)
