"""That a tenant's rules changed is an operator's deed: who runs the process that took them up, and which they were before."""

import json
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from ledger.engine import Pool, within
from ledger.receive import commit_to

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rules:' || $1, 0))"
_LAST = """
    SELECT coalesce((SELECT e.detail->>'rules' FROM entries e
                      WHERE e.tenant = $1 AND e.hook IN ('operator', 'access') AND e.hook = 'operator'
                        AND e.outcome = 'rules loaded' ORDER BY e.at DESC, e.id DESC LIMIT 1),
                    (SELECT r.hash FROM rule_texts r WHERE r.tenant = $1 ORDER BY r.first_seen DESC LIMIT 1))
"""
_DELIVERY = """
    INSERT INTO deliveries (id, tenant, hook, actor, verdict, rules_hash, commitment, received_at)
    VALUES ($1, $2, 'operator', $3, 'rules loaded', 'operator', $4, clock_timestamp())
"""
_BODY = "INSERT INTO bodies (delivery, salt, body) VALUES ($1, $2, $3)"
_ENTRY = """
    INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, detail, commitment)
    VALUES (clock_timestamp(), $2, $1, 'operator', 'rules loaded', $3, $4, 'operator', $5::text::jsonb, $6)
"""


async def note_loaded(pool: Pool, tenant: str, rules_hash: str, actor: str, code_version: str) -> bool:
    """An entry, if the rules that were loaded last were others; none for the first that a tenant has.

    To be called before the text is kept. Of several processes that take up the same rules, the first writes.
    """
    async with within(pool, tenant) as connection:
        await connection.execute(_LOCK, tenant)
        before: str | None = await connection.fetchval(_LAST, tenant)
        if before is None or before == rules_hash:
            return False
        id_ = UUID(int=uuid7().int)
        detail: dict[str, Any] = {"rules": rules_hash, "before": before}
        reason = "the configuration was read, at a start or by SIGHUP"
        body = json.dumps({"request": {"deed": "rules loaded", "reason": reason, **detail}})
        salt, commitment = commit_to(body)
        await connection.execute(_DELIVERY, id_, tenant, actor, commitment)
        await connection.execute(_BODY, id_, salt, body)
        await connection.execute(_ENTRY, id_, tenant, actor, code_version, json.dumps(detail), commitment)
    return True
