"""What the store keeps of one decision: the delivery, the rules as they were, holds, names and findings."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ledger.engine import Statements

Row = dict[str, Any]
"""A row; times are ISO 8601, ids are text."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept. `rules` is the text behind the rules' hash, None if it is not kept."""

    delivery: Row
    """id, tenant, subject, login, seq, hook, application, actor, acting_for, verdict, codes, rules_hash, at."""
    body: str | None
    """None: erased."""
    patch: str | None
    rules: Row | None
    entries: list[Row]
    holds: list[Row]
    """What the person holds now: attribute, value, expires_at, and whether this delivery did it (`here`)."""
    names: list[Row]
    """What the person was given: attribute, shown, at, here."""


_DELIVERY = """
    SELECT row_to_json(q)::text FROM (
        SELECT d.id, d.tenant, d.subject, d.seq, d.hook, d.application, d.actor, d.acting_for, d.verdict, d.codes,
               d.rules_hash, d.received_at AS at, b.body, b.patch, r.text AS rules,
               (SELECT h.value FROM handles h WHERE h.subject = d.subject AND h.kind = 'login'
                 ORDER BY h.until DESC NULLS FIRST LIMIT 1) AS login
          FROM deliveries d
          LEFT JOIN bodies b ON b.delivery = d.id
          LEFT JOIN rule_texts r ON r.tenant = d.tenant AND r.hash = d.rules_hash
         WHERE d.id = $1 AND d.tenant = coalesce($2, d.tenant)) AS q
"""
_ENTRIES = """
    SELECT coalesce(json_agg(q), '[]')::text FROM (
        SELECT e.at, e.outcome, e.activity, e.detail FROM entries e
         WHERE e.subject IS NOT DISTINCT FROM $2 AND e.delivery = $1 ORDER BY e.id) AS q
"""
_HOLDS = """
    SELECT coalesce(json_agg(q), '[]')::text FROM (
        SELECT h.attribute, h.value, h.expires_at, h.delivery = $1 AS here FROM holds h
         WHERE h.subject = $2 AND h.expires_at > now() ORDER BY 1, 2) AS q
"""
_NAMES = """
    SELECT coalesce(json_agg(q), '[]')::text FROM (
        SELECT n.attribute, n.shown, n.at, n.delivery = $1 AS here FROM names n
         WHERE n.tenant = $3 AND n.subject = $2 ORDER BY 1) AS q
"""
_TURNED_AWAY = "SELECT words FROM refusals WHERE receipt = $1 AND tenant = coalesce($2, tenant)"


async def find_kept(pool: Statements, receipt: UUID, only: str | None = None) -> Kept | None:
    """The decision with this receipt, of one tenant `only` if given; or None. Raises one of ledger.engine.StoreErrors."""
    text = await pool.fetchval(_DELIVERY, receipt, only)
    if text is None:
        return None
    row: Row = json.loads(text)
    subject, tenant = row["subject"] and UUID(row["subject"]), row["tenant"]
    rules = row.pop("rules")
    return Kept(
        body=row.pop("body"),
        patch=row.pop("patch"),
        rules=json.loads(rules) if rules else None,
        delivery=row,
        entries=json.loads(await pool.fetchval(_ENTRIES, receipt, subject)),
        holds=json.loads(await pool.fetchval(_HOLDS, receipt, subject)),
        names=json.loads(await pool.fetchval(_NAMES, receipt, subject, tenant)),
    )


async def turned_away(pool: Statements, receipt: UUID, only: str | None = None) -> str | None:
    """Why a call with this receipt was turned away at the door, if that is still remembered."""
    return await pool.fetchval(_TURNED_AWAY, receipt, only)
