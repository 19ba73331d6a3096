"""Loads what activities are told of the deliveries they serve."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Stored:
    """One delivery as stored. `request` and `before` are None once their bodies have been erased."""

    delivery: str
    tenant: str
    subject: str
    seq: int
    hook: str
    application: str | None
    verdict: str
    actor: str
    acting_for: str | None
    received_at: datetime
    rehire_of: str | None
    request: dict[str, Any] | None
    before: dict[str, Any] | None
    sealed: bytes | None


_LOAD = text("""
    SELECT d.id::text AS delivery, d.tenant, d.subject::text AS subject, d.seq, d.hook, d.application, d.verdict,
           d.actor, d.acting_for, d.received_at, s.rehire_of::text AS rehire_of, b.body, p.body AS before, v.sealed
      FROM deliveries d
      JOIN subjects s ON s.id = d.subject
      LEFT JOIN bodies b ON b.delivery = d.id
      LEFT JOIN bodies p ON p.delivery = d.before
      LEFT JOIN vault v ON v.delivery = d.id AND v.expires_at > clock_timestamp()
     WHERE d.id = ANY (:deliveries)
""")


async def load(connection: AsyncConnection, deliveries: Sequence[str]) -> dict[str, Stored]:
    """The deliveries by id."""
    rows = await connection.execute(_LOAD, {"deliveries": [UUID(d) for d in dict.fromkeys(deliveries)]})
    return {
        r.delivery: Stored(
            delivery=r.delivery,
            tenant=r.tenant,
            subject=r.subject,
            seq=r.seq,
            hook=r.hook,
            application=r.application,
            verdict=r.verdict,
            actor=r.actor,
            acting_for=r.acting_for,
            received_at=r.received_at,
            rehire_of=r.rehire_of,
            request=_request(r.body),
            before=(_request(r.before) or {}).get("user"),
            sealed=r.sealed,
        )
        for r in rows
    }


def _request(body: str | None) -> dict[str, Any] | None:
    return None if body is None else json.loads(body)["request"]
