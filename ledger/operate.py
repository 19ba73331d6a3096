"""What operators do: redrive, skip, pause, resume and the like; each is a delivery of its own, with actor and reason."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.receive import commit_to

Deed = Literal[
    "redrive",
    "skip",
    "pause",
    "resume",
    "release brake",
    "key made",
    "key revoked",
    "vault keys destroyed",
    "vault key rotated",
    "erase",
    "erasure planned",
    "erasure withdrawn",
    "legal hold",
    "hold released",
    "restored",
    "done in temporal",
    "requested",
    "approved",
    "rejected",
    "rules loaded",
    "switched off",
    "switched to drop",
    "switched to shadow",
    "switched on",
    "incident opened",
    "incident closed",
]
OPERATOR = "operator"
"""The hook of operators' deliveries."""


class NoSuchWork(LookupError):
    """There is nothing that this deed could be done to; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class Order:
    """One deed. `delivery` and `activity` name the work; pause and resume need only the person.

    `tenant`: only if it is this one's; None: whosever it is.
    """

    deed: Deed
    actor: str
    reason: str
    new_id: UUID
    code_version: str
    tenant: str | None = None
    delivery: UUID | None = None
    activity: str | None = None
    subject: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the entry says: ids, codes and counts, never a name."""
    after: float = 0.0
    """Seconds by which a redriven piece is put off, so that many are not run at once."""

    def in_tenant(self, tenant: str) -> Self:
        """The same in this tenant."""
        return replace(self, tenant=tenant)


@dataclass(frozen=True, slots=True)
class Done:
    """Whom it was about, to ring them; `count` pieces of work changed."""

    subject: UUID
    tenant: str
    workflow_id: str
    login: str
    seq: int
    count: int


_UNFINISHED = (
    "failed",
    "refused",
    "retired",
    "cancelled",
    "skipped",
    "unconfirmed",
    "duplicate",
    "secret_gone",
)
"""What a redrive of a whole delivery runs again; by its name, an activity that went well is run again too."""

_REDRIVE = """
    UPDATE work SET state = 'planned', outcome = NULL, settled_at = NULL, give_up_at = NULL, lease_until = NULL,
                    due = statement_timestamp() + :after * interval '1 second',
                    let_go = CASE WHEN :after > 0 THEN statement_timestamp() + :after * interval '1 second' END
     WHERE delivery = :delivery AND (CAST(:activity AS text) IS NULL OR activity = :activity)
       AND (state = 'held' OR (state = 'settled' AND (outcome = ANY (CAST(:unfinished AS text[]))
                                                      OR CAST(:activity AS text) IS NOT NULL)))
    RETURNING activity
"""
_SKIP = """
    UPDATE work SET state = 'settled', outcome = 'skipped', settled_at = clock_timestamp(), lease_until = NULL
     WHERE delivery = :delivery AND (CAST(:activity AS text) IS NULL OR activity = :activity) AND settled_at IS NULL
    RETURNING activity
"""
_SUBJECT = text("""
    UPDATE subjects s SET seq = seq + 1
     WHERE s.id = coalesce(CAST(:subject AS uuid), (SELECT d.subject FROM deliveries d WHERE d.id = :delivery))
       AND (CAST(:tenant AS text) IS NULL OR s.tenant = :tenant)
    RETURNING s.id, s.tenant, s.workflow_id, s.seq,
        (SELECT value FROM handles h WHERE h.subject = s.id AND h.kind = 'login' ORDER BY until DESC NULLS FIRST LIMIT 1)
""")
_DELIVERY = text("""
    INSERT INTO deliveries (id, tenant, subject, seq, hook, actor, verdict, rules_hash, commitment, received_at)
    VALUES (:id, :tenant, :subject, :seq, 'operator', :actor, :verdict, 'operator', :commitment, clock_timestamp())
""")
_BODY = text("INSERT INTO bodies (delivery, salt, body) VALUES (:id, :salt, :body)")
_ENTRY = text("""
    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, activity, outcome, actor, code_version, rules_hash,
                         detail, commitment)
    SELECT clock_timestamp(), :tenant, :subject, :id, :seq, 'operator', a, :outcome, :actor, :code_version, 'operator',
           CAST(:detail AS jsonb), :commitment
      FROM unnest(CAST(:activities AS text[])) AS a
""")

_TENANT_OF = text(
    "SELECT tenant FROM deliveries WHERE id = :delivery AND tenant = ANY (CAST(:tenants AS text[]))"
)


async def tenant_of(connection: AsyncConnection, delivery: UUID, tenants: Collection[str]) -> str:
    """Whose delivery it is, if it is of one of these tenants. Raises NoSuchWork."""
    values = {"delivery": delivery, "tenants": list(tenants)}
    tenant = (await connection.execute(_TENANT_OF, values)).scalar_one_or_none()
    if tenant is None:
        raise NoSuchWork("no such delivery")
    return tenant


async def operate(connection: AsyncConnection, order: Order) -> Done:
    """Does and records one deed; commits nothing itself. Raises NoSuchWork."""
    named = {"subject": order.subject, "delivery": order.delivery, "tenant": order.tenant}
    person = (await connection.execute(_SUBJECT, named)).first()
    if person is None:
        raise NoSuchWork("no such person or delivery: copy the receipt id from ./hookledger ledger search")
    touched = await _touch(connection, order, person.id)
    detail = {**order.detail, "of": str(order.delivery)} if order.delivery else dict(order.detail)
    body = json.dumps({"request": {"deed": order.deed, "reason": order.reason, **detail}})
    salt, commitment = commit_to(body)
    common: dict[str, Any] = {
        "id": order.new_id,
        "tenant": person.tenant,
        "subject": person.id,
        "seq": person.seq,
        "actor": order.actor,
        "commitment": commitment,
    }
    await connection.execute(_DELIVERY, common | {"verdict": order.deed})
    await connection.execute(_BODY, {"id": order.new_id, "salt": salt, "body": body})
    entry = {
        "outcome": order.deed,
        "code_version": order.code_version,
        "activities": touched,
        "detail": json.dumps(
            detail | dict(order.detail) | ({"out of order": True} if order.deed == "redrive" else {})
        ),
    }
    await connection.execute(_ENTRY, common | entry)
    return Done(person.id, person.tenant, person.workflow_id, person.value or "", person.seq, len(touched))


async def _touch(connection: AsyncConnection, order: Order, subject: UUID) -> list[str | None]:
    """The activities whose work changed; one None for a deed about the person."""
    if order.deed == "done in temporal":
        return [None]
    if order.deed in ("pause", "resume"):
        values = {"paused": order.deed == "pause", "subject": subject}
        await connection.execute(text("UPDATE subjects SET paused = :paused WHERE id = :subject"), values)
        return [None]
    if order.deed not in ("redrive", "skip"):
        return [None]
    values = {"delivery": order.delivery, "activity": order.activity}
    statement = _SKIP
    if order.deed == "redrive":
        statement, values = _REDRIVE, values | {"unfinished": list(_UNFINISHED), "after": order.after}
    rows: list[str | None] = list((await connection.execute(text(statement), values)).scalars())
    if not rows:
        raise NoSuchWork(f"nothing to {order.deed} there: it has no such work, or not in a state for it")
    return rows


_RELEASE = text("""
    UPDATE brakes SET stopped_at = NULL, released_at = clock_timestamp() WHERE tenant = :tenant AND stopped_at IS NOT NULL
    RETURNING tenant
""")


async def release_brake(connection: AsyncConnection, order: Order) -> None:
    """Lets runDeprovision answer true again. Raises NoSuchWork if the brake has not stopped it."""
    if (await connection.execute(_RELEASE, {"tenant": order.tenant})).first() is None:
        raise NoSuchWork(f"the brake of {order.tenant} is not on")
    await record(connection, order)


async def record(connection: AsyncConnection, order: Order, **detail: object) -> None:
    """Records a deed that is about a tenant and nobody in particular. `detail` names ids, never a person."""
    body = json.dumps({"request": {"deed": order.deed, "reason": order.reason, **detail}})
    salt, commitment = commit_to(body)
    common: dict[str, Any] = {
        "id": order.new_id,
        "tenant": order.tenant,
        "subject": None,
        "seq": None,
        "actor": order.actor,
        "commitment": commitment,
    }
    await connection.execute(_DELIVERY, common | {"verdict": order.deed})
    await connection.execute(_BODY, {"id": order.new_id, "salt": salt, "body": body})
    entry = {
        "outcome": order.deed,
        "code_version": order.code_version,
        "activities": [None],
        "detail": json.dumps(detail),
    }
    await connection.execute(_ENTRY, common | entry)
