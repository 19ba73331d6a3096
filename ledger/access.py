"""Who read of persons in the ledger: each reading is an entry, which names pseudonyms and never a login."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

HOOK = "access"
"""The hook of these entries. They have no delivery of their own: their receipt is theirs alone."""
BEGUN, READ, BROKEN_OFF = "reading", "read", "broken off"
"""Outcomes: rows are being handed out; this many were; so many were, and then the reader or the store was gone."""
FITS, FITS_NOT = "verified", "does not fit"
"""Outcomes of reading the whole ledger to verify it."""

# One for each person that was asked for, so that it stands in their own timeline; else one that is about nobody.
_ENTRY = text("""
    INSERT INTO entries (at, tenant, subject, delivery, hook, outcome, actor, code_version, rules_hash, detail)
    SELECT clock_timestamp(), :tenant, p, :receipt, 'access', :outcome, :actor, :code_version, 'access',
           CAST(:detail AS jsonb)
      FROM unnest(CAST(:people AS uuid[])) AS p
""")


async def record_access(
    connection: AsyncConnection,
    *,
    tenant: str,
    actor: str,
    code_version: str,
    outcome: str,
    people: Sequence[UUID],
    detail: Mapping[str, Any],
    receipt: UUID | None = None,
) -> UUID:
    """Writes it and gives its receipt; commits nothing itself. `detail` says what was read, and names nobody."""
    receipt = receipt or uuid7()
    values = {
        "tenant": tenant,
        "people": list(people) or [None],
        "receipt": receipt,
        "outcome": outcome,
        "actor": actor,
        "code_version": code_version,
        "detail": json.dumps(dict(detail), default=str),
    }
    await connection.execute(_ENTRY, values)
    return receipt
