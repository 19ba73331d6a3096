"""Deeds that wait for another person: asked for, then approved or rejected by somebody who is not the maker."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import Order, record

LIFE = timedelta(days=3)
"""After so long nobody can approve it any more: what was counted is old."""

Verdict = Literal["approved", "rejected"]

_COLUMNS = "r.id, r.tenant, r.deed, r.parameters, r.hash, r.counted, r.maker, r.made_at, r.expires_at"
# The reason stands in the body of the delivery that asked; it may have been erased.
_REASON = r"CASE WHEN strpos(b.body, '\u0000') = 0 THEN b.body::json->'request'->>'reason' END AS reason"
_ASK = text("""
    INSERT INTO deed_requests (id, tenant, deed, parameters, hash, counted, maker, made_at, expires_at)
    SELECT :id, :tenant, :deed, CAST(:parameters AS jsonb), :hash, :counted, :maker, now, now + CAST(:life AS interval)
      FROM clock_timestamp() AS now
    RETURNING expires_at
""")
_LIST = text(f"""
    SELECT {_COLUMNS}, {_REASON} FROM deed_requests r LEFT JOIN bodies b ON b.delivery = r.id
     WHERE r.tenant = ANY (CAST(:tenants AS text[])) AND r.closed_at IS NULL AND r.expires_at > clock_timestamp()
     ORDER BY r.made_at, r.id
""")
_FIND = text(f"""
    SELECT {_COLUMNS}, {_REASON} FROM deed_requests r LEFT JOIN bodies b ON b.delivery = r.id
     WHERE r.id = :id AND r.tenant = ANY (CAST(:tenants AS text[])) AND r.closed_at IS NULL
       AND r.expires_at > clock_timestamp()
       FOR UPDATE OF r
""")
_CLOSE = text("""
    UPDATE deed_requests SET closed_as = :verdict, checker = :actor, closed_at = clock_timestamp()
     WHERE id = :id AND tenant = :tenant
""")


class NoSuchRequest(LookupError):
    """No open request has that id, or none that the actor may see."""


class SamePerson(Exception):
    """The maker of a request is not its checker."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. `reason` is None if it was erased. `parameters` name work and ids, never a person."""

    id: UUID
    tenant: str
    deed: str
    parameters: Mapping[str, Any]
    hash: bytes
    counted: int
    maker: str
    made_at: datetime
    expires_at: datetime
    reason: str | None


async def ask(
    connection: AsyncConnection, order: Order, deed: str, parameters: Mapping[str, Any], counted: int
) -> datetime:
    """Keeps the request under the order's id, with an entry; gives until when it can be approved."""
    tenant = order.tenant or ""
    hashed = digest(tenant, deed, parameters)
    values = {
        "id": order.new_id,
        "tenant": tenant,
        "deed": deed,
        "parameters": json.dumps(dict(parameters)),
        "hash": hashed,
        "counted": counted,
        "maker": order.actor,
        "life": LIFE,
    }
    expires: datetime = (await connection.execute(_ASK, values)).scalar_one()
    detail = {"for": deed, "counted": counted, "parameters": hashed.hex()}
    await record(connection, order, **detail)
    return expires


async def list_requests(connection: AsyncConnection, tenants: Collection[str]) -> list[Request]:
    """Those that can be approved now, the oldest first."""
    return [Request(*row) for row in await connection.execute(_LIST, {"tenants": list(tenants)})]


async def close(
    connection: AsyncConnection, id_: UUID, tenants: Collection[str], verdict: Verdict, order: Order
) -> Request:
    """Approves or rejects, with an entry; the deed itself is done by whoever called. Raises NoSuchRequest, SamePerson.

    A maker may take back what they asked for, by rejecting it.
    """
    row = (await connection.execute(_FIND, {"id": id_, "tenants": list(tenants)})).first()
    if row is None:
        raise NoSuchRequest("no such request that is open: ./hookledger requests lists them")
    request = Request(*row)
    if verdict == "approved" and request.maker == order.actor:
        raise SamePerson("who asked for a deed cannot approve it: another person must")
    if digest(request.tenant, request.deed, request.parameters) != request.hash:
        raise NoSuchRequest("the request is not what was asked for: its parameters were changed")
    values = {"id": id_, "tenant": request.tenant, "verdict": verdict, "actor": order.actor}
    await connection.execute(_CLOSE, values)
    detail = {"for": request.deed, "request": str(id_), "maker": request.maker, "counted": request.counted}
    await record(connection, replace(order, tenant=request.tenant), **detail)
    return request


def digest(tenant: str, deed: str, parameters: Mapping[str, Any]) -> bytes:
    """What is approved, in 32 bytes."""
    said = json.dumps([tenant, deed, dict(parameters)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()
