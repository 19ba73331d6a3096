"""A person is erased, wherever it is ordered: certificate, list, store, then what Temporal still has of them."""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from ledger import erasures
from ledger.certificate import Removed, hashes_of, new_code
from ledger.engine import Connection
from ledger.erasable import Blocked, Elsewhere, Moved, Standing, lock, look_elsewhere, stand
from ledger.erase import Asked, Erased, Terms, erase, remove
from ledger.erasures_due import Due, find_due, plan, put_off, withdraw
from ledger.note import Signer, signer_of
from ledger.visit import OutOfReach, visit
from runtime.client import connect
from runtime.deeds import order
from runtime.erasures import TRIES, Lacking, ListAway, ListBroken, NoKeeper, as_keeper, list_of, whom
from settings import Settings

log = logging.getLogger(__name__)

NO_KEY = "no key is configured in [ledger.seal], or this process is not given its secret: a certificate must be signed"
NO_LIST = "no [ledger.erasures] is configured: a restored backup would bring this person back"
PLANNABLE = frozenset({"floor", "hold", "work"})
"""What an erasure may wait for."""
_LATER = timedelta(hours=1)
"""A planned erasure that cannot be carried out is looked at again after so long."""
_AT_ONCE = 10
_RPC_TIMEOUT = timedelta(seconds=10)


class InDoubt(Exception):
    """It stands on the list, and whether the store has it is not known."""


Impossible = (Lacking, ListAway, ListBroken, NoKeeper, OutOfReach, InDoubt)
"""Why nothing can be erased now, whoever it is; their texts say what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who shall be erased, by whom and why. `reason` is kept, and must not name the person."""

    tenant: str
    subject: UUID
    actor: str
    code: str
    reason: str
    skip_work: bool = False
    anyway: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the entry says: who approved it."""

    def parameters(self) -> dict[str, Any]:
        """What another person approves; it names a pseudonym, and nobody."""
        return {
            "person": str(self.subject), "code": self.code, "skip_work": self.skip_work, "anyway": self.anyway
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would go, and what is in the way."""

    standing: Standing
    removed: tuple[Removed, ...]
    elsewhere: Elsewhere


@dataclass(frozen=True, slots=True)
class Done:
    """Erased. `secret` is for the person: with it their name can be held against the certificate."""

    id: UUID
    erased: Erased
    secret: str = field(repr=False)
    temporal: str
    """What became of the runs, in words."""


@dataclass(frozen=True, slots=True)
class Planned:
    """It waits. `secret` as in Done: it is shown now, and never again."""

    id: UUID
    due: datetime
    secret: str = field(repr=False)


async def rehearse(settings: Settings, wish: Wish) -> Rehearsed:
    """Does it, and takes it back. Raises Blocked for somebody unknown; OutOfReach, NoKeeper."""
    who = whom(wish.tenant, wish.subject)
    for _ in range(TRIES):
        try:
            async with as_keeper(settings) as connection:
                elsewhere = await look_elsewhere(connection, who)
            async with as_keeper(settings) as connection:
                await lock(connection, who)
                standing = await stand(
                    connection, who, settings.ledger.legal_floor, wish.reason,
                    skip_work=wish.skip_work, anyway=wish.anyway,
                )  # fmt: skip
                removed = await remove(connection, who, elsewhere.mentions)
                await connection.rollback()
            return Rehearsed(standing, removed, elsewhere)
        except Moved:
            continue
    raise OutOfReach("the store gives this person new names all the time: try again")


async def erase_person(settings: Settings, wish: Wish, client: Client | None = None) -> Done:
    """The whole of it. Raises Blocked, and one of Impossible."""
    secret = new_code()
    rehearsed = await rehearse(settings, wish)
    names = hashes_of(secret, rehearsed.standing.names)
    ordered = order(
        "erase", wish.actor, wish.reason, tenant=wish.tenant, subject=wish.subject, detail=wish.detail
    )
    asked = Asked(
        whom(wish.tenant, wish.subject), ordered, wish.code, names,
        skip_work=wish.skip_work, anyway=wish.anyway,
    )  # fmt: skip
    erased = await _erase(settings, asked, rehearsed.elsewhere)
    return Done(ordered.new_id, erased, secret, await forget(settings, erased.workflow_id, client))


async def plan_person(settings: Settings, wish: Wish) -> Planned:
    """Lets it wait for what is in the way. Raises Blocked if that will not go away by itself; NoSuchWork, OutOfReach."""
    rehearsed = await rehearse(settings, wish)
    if hopeless := [b for b in rehearsed.standing.blockers if b.obstacle not in PLANNABLE]:
        raise Blocked(hopeless)
    _signer(settings)
    secret = new_code()
    due = max((b.until for b in rehearsed.standing.blockers if b.until), default=datetime.now(UTC))
    ordered = order("erasure planned", wish.actor, wish.reason, tenant=wish.tenant, subject=wish.subject)
    waits = Due(
        ordered.new_id, wish.tenant, wish.subject, due, wish.actor, wish.code,
        hashes_of(secret, rehearsed.standing.names), wish.skip_work, wish.anyway,
    )  # fmt: skip
    detail = {"due": due.isoformat(), "code": wish.code}
    async with visit(settings.store) as connection:
        await plan(connection, waits, replace(ordered, detail=detail))
    return Planned(ordered.new_id, due, secret)


async def withdraw_person(settings: Settings, wish: Wish) -> None:
    """Takes back an erasure that waits. Raises NoSuchWork, OutOfReach."""
    ordered = order("erasure withdrawn", wish.actor, wish.reason, tenant=wish.tenant, subject=wish.subject)
    async with visit(settings.store) as connection:
        await withdraw(connection, ordered)


async def carry_out(settings: Settings, client: Client | None = None) -> int:
    """Erases whoever is due, and puts off whom something still keeps. Gives how many were erased.

    Never raises for one person what would keep it from the next. Raises OutOfReach, NoKeeper.
    """
    async with visit(settings.store) as connection:
        found = await find_due(connection, _AT_ONCE)
    done = 0
    for due in found:
        ordered = order("erase", due.actor, f"planned as {due.id}", tenant=due.tenant, subject=due.subject)
        asked = Asked(
            whom(due.tenant, due.subject), ordered, due.code, due.names,
            skip_work=due.skip_work, anyway=due.anyway,
        )  # fmt: skip
        try:
            async with as_keeper(settings) as connection:
                elsewhere = await look_elsewhere(connection, asked.who)
            erased = await _erase(settings, asked, elsewhere)
        except Blocked as wrong:
            until = max((b.until for b in wrong.blockers if b.until), default=datetime.now(UTC))
            async with visit(settings.store) as connection:
                await put_off(connection, due.id, until, _LATER)
            log.warning(
                "planned erasure %s is put off: %s", due.id, ", ".join(b.obstacle for b in wrong.blockers)
            )
        else:
            done += 1
            await forget(settings, erased.workflow_id, client)
    return done


async def _erase(settings: Settings, asked: Asked, elsewhere: Elsewhere) -> Erased:
    signer, published = _signer(settings), False

    async def publish(connection: Connection, certificate: str) -> erasures.Place | None:
        nonlocal published
        listed = list_of(settings)
        if listed is None:
            return None
        place = await listed.append(await erasures.head(connection), certificate, signer)
        published = True
        return place

    for _ in range(TRIES):
        try:
            async with as_keeper(settings) as connection:
                terms = Terms(
                    settings.ledger.legal_floor,
                    settings.ledger.copies,
                    settings.temporal.retention_days,
                    signer,
                    lambda certificate: publish(connection, certificate),
                )
                return await erase(connection, asked, terms, elsewhere)
        except Moved:
            continue
        except OutOfReach as wrong:
            if not published:
                raise
            words = f"{wrong}; it stands on the list of erasures: ./hookledger ledger erase --replay makes it good"
            raise InDoubt(words) from None
    raise OutOfReach("the store gives this person new names all the time: try again")


def _signer(settings: Settings) -> Signer:
    signer = signer_of(settings.ledger.seal)
    if signer is None:
        raise NoKeeper(NO_KEY)
    return signer


async def forget(settings: Settings, workflow_id: str, client: Client | None = None) -> str:
    """Deletes what Temporal has under that id; says what became of it. What cannot be deleted ends with the retention."""
    try:
        client = client or await connect(lazy=True)
        runs = await _runs(client, workflow_id)
        for run in runs:
            execution = WorkflowExecution(workflow_id=workflow_id, run_id=run)
            request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
            with _gone_is_well():
                await client.workflow_service.delete_workflow_execution(request, timeout=_RPC_TIMEOUT)
    except (RPCError, RuntimeError, OSError) as wrong:
        days = settings.temporal.retention_days
        return f"Temporal is out of reach ({type(wrong).__name__}): what it has of them goes with its retention, {days} days"
    many = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
    return (
        f"Temporal was told to delete {many}, which takes it about half a minute"
        if runs
        else "Temporal has no run"
    )


async def _runs(client: Client, workflow_id: str) -> list[str]:
    """All that are known under that id: the list may be behind, so the newest is asked for by name."""
    found = {run.run_id async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")}
    with _gone_is_well():
        newest = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=_RPC_TIMEOUT)
        found.add(newest.run_id)
    return sorted(found)


@contextmanager
def _gone_is_well() -> Generator[None]:
    """What is gone already need not be deleted."""
    try:
        yield
    except RPCError as wrong:
        if wrong.status is not RPCStatusCode.NOT_FOUND:
            raise
