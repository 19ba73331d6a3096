"""What receive() would decide, found by reading alone: nothing is held, given or stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from ledger.engine import Pool, Statements
from ledger.receive import Delivery, Receipt, Wish

_MOST_TRIES = 50
_NOBODY = UUID(int=0)
"""Stands for a person who is not known yet."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Who has, or holds until a moment, a value that must be unique. Times are ISO 8601, UTC."""

    attribute: str
    value: str
    subject: str
    since: str | None
    """Of a hold: when it began; else: when the last fact about its owner came."""
    left: str | None
    held_until: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What receive() would give, and with whom the values clash, shadows included."""

    receipt: Receipt
    clashes: Sequence[Clash]


_WHO = """
    SELECT i.subject, l.subject,
           EXISTS (SELECT 1 FROM handles h WHERE h.subject = l.subject AND h.kind = 'id' AND h.until IS NULL),
           (SELECT archived_at IS NOT NULL FROM identities WHERE subject = l.subject)
      FROM (VALUES (1)) AS one
      LEFT JOIN handles i ON i.tenant = $1 AND i.kind = 'id' AND i.value = $2 AND i.until IS NULL
      LEFT JOIN handles l ON l.tenant = $1 AND l.kind = 'login' AND l.value = $3 AND l.until IS NULL
"""
_CLASHES = """
    SELECT json_agg(q)::text FROM (
        SELECT u.n, u.attribute, u.value, k.subject, d.received_at AS since, k.left_at AS left, NULL AS held_until
          FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u (attribute, value, n)
          JOIN known_values k ON k.tenant = $1 AND k.attribute = u.attribute AND k.value = u.value
          LEFT JOIN identities i ON i.subject = k.subject
          LEFT JOIN deliveries d ON d.id = i.delivery
         WHERE ($4 = 'create' OR k.subject <> $5) AND (k.left_at IS NULL OR $7::interval IS NULL OR k.left_at > now() - $7)
        UNION ALL
        SELECT u.n, u.attribute, u.value, h.subject, d.received_at, NULL, h.expires_at
          FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u (attribute, value, n)
          JOIN holds h ON h.tenant = $1 AND h.attribute = u.attribute AND h.value = u.value
          LEFT JOIN deliveries d ON d.id = h.delivery
         WHERE h.expires_at > now() AND h.subject <> $5 AND h.login <> $6
         ORDER BY 1) AS q
"""
_HAD = """
    SELECT n.shown FROM names n WHERE n.tenant = $1 AND n.attribute = $2 AND n.person = $3
       AND name_is_free($1, $2, n.value, $4, n.subject, $5, now(), $6)
"""
_COUNT = "SELECT next FROM name_counts WHERE tenant = $1 AND attribute = $2 AND stem = $3"
_FREE = """
    SELECT c.shown FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS c (value, shown, place)
     WHERE NOT EXISTS (SELECT 1 FROM names n WHERE n.tenant = $1 AND n.attribute = $2 AND n.value = c.value)
       AND name_is_free($1, $2, c.value, $5, $5, $6, now(), $7)
     ORDER BY c.place LIMIT 1
"""
_BRAKE = """
    SELECT b.stopped_at IS NOT NULL OR $2 <= (
               SELECT count(*) FROM deliveries d WHERE d.tenant = $1 AND d.verdict = 'deprovision'
                  AND d.received_at > now() - $3::interval AND d.received_at > coalesce(b.released_at, '-infinity'))
      FROM (VALUES (1)) AS one LEFT JOIN brakes b ON b.tenant = $1
"""


async def preview(pool: Pool, d: Delivery) -> Preview:
    """Asks the store about a delivery that is not to be stored. Raises one of ledger.engine.StoreErrors."""
    subject = await _who(pool, d)
    verdict, codes = d.verdict, list(d.codes)
    clashes: list[Clash] = []
    login = d.person.login if d.person else ""
    if d.check is not None and d.values:
        clashes = await find_clashes(pool, d.tenant, d.values, d.check, subject, login, d.release)
        refusing = list(dict.fromkeys(c.attribute for c in clashes if c.attribute not in d.shadowed))
        if refusing and verdict in ("passed", "refused"):
            verdict, codes = "refused", [*codes, *refusing]
    names: list[str | None] = []
    if verdict != "refused":
        names = [await _name(pool, d, wish, subject, login) for wish in d.wishes]
    if (
        verdict == "deprovision"
        and d.brake is not None
        and await pool.fetchval(_BRAKE, d.tenant, d.brake, d.brake_window)
    ):
        verdict = "braked"
    known = None if subject == _NOBODY else subject
    return Preview(Receipt(known, None, None, verdict, codes, names=names), clashes)


async def find_clashes(
    pool: Statements,
    tenant: str,
    values: Sequence[tuple[str, str]],
    check: Literal["create", "update"],
    subject: UUID,
    login: str,
    release: timedelta | None,
) -> list[Clash]:
    """Who has or holds these values now beside `subject`, in the order of the values."""
    attributes, forms = [a for a, _ in values], [v for _, v in values]
    text = await pool.fetchval(_CLASHES, tenant, attributes, forms, check, subject, login, release)
    found: list[dict[str, Any]] = json.loads(text) if text else []
    return [Clash(**{k: v for k, v in row.items() if k != "n"}) for row in found]


async def _who(pool: Pool, d: Delivery) -> UUID:
    """The person as receive() would find them, but for facts, which rules do not judge."""
    if d.person is None:
        return _NOBODY
    row = await pool.fetchrow(_WHO, d.tenant, d.person.platform_id, d.person.login)
    by_id, by_login, has_id, archived = row or (None, None, False, None)
    if by_id is not None or by_login is None:
        return by_id or _NOBODY
    other = (has_id and d.person.platform_id is not None) or (d.creates and archived)
    return _NOBODY if other else by_login


async def _name(pool: Pool, d: Delivery, wish: Wish, subject: UUID, login: str) -> str | None:
    """What give_name() would find, but for values that another call is deciding on at this moment."""
    release = d.release or timedelta(0)
    person = wish.person or f"subject:{subject}"
    had = await pool.fetchval(_HAD, d.tenant, wish.attribute, person, subject, login, release)
    if had is not None:
        return had
    last = wish.stems[-1]
    stem = f"{last.normal_before}\x1f{last.normal_after}"
    count = await pool.fetchval(_COUNT, d.tenant, wish.attribute, stem) or 2
    values = [f"{s.normal_before}{s.normal_after}" for s in wish.stems]
    shown = [f"{s.before}{s.after}" for s in wish.stems]
    for n in range(count, count + _MOST_TRIES - len(values)):
        values.append(f"{last.normal_before}{n}{last.normal_after}")
        shown.append(f"{last.before}{n}{last.after}")
    return await pool.fetchval(_FREE, d.tenant, wish.attribute, values, shown, subject, login, release)
