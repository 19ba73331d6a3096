"""What rules in shadow would have done, and rules that went wrong: counted from the entries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

OUTCOMES = (
    "would refuse", "would set", "would name", "would answer", "would remove", "would keep", "rule fault",
)  # fmt: skip
"""Of the entries that are counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one rule, or one unique attribute (`unique`), would have done. `newest` first: at, subject, login, delivery, …"""

    tenant: str
    rule: str
    unique: bool
    outcome: str
    times: int
    people: int
    hooks: list[str]
    calls: int
    """All decisions on these hooks in the same time."""
    first: datetime
    last: datetime
    newest: list[dict[str, Any]]


_FIND = text("""
    WITH found AS MATERIALIZED (
        SELECT e.id, e.at, e.tenant, e.subject, e.delivery, e.hook, e.outcome, e.detail,
               coalesce(e.detail ->> 'rule', a.attribute) AS rule, NOT e.detail ? 'rule' AS is_unique
          FROM entries e
          LEFT JOIN LATERAL jsonb_array_elements_text(CASE WHEN NOT e.detail ? 'rule' THEN e.detail -> 'attributes' END)
               AS a (attribute) ON true
         WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.at >= :since AND e.outcome = ANY (CAST(:outcomes AS text[]))
    ), numbered AS (
        SELECT f.*, row_number() OVER (PARTITION BY f.tenant, f.rule, f.is_unique, f.outcome ORDER BY f.id DESC) AS n
          FROM found f WHERE CAST(:rule AS text) IS NULL OR f.rule = :rule
    ), calls AS (
        SELECT e.tenant, e.hook, count(*) AS n FROM entries e
         WHERE e.tenant = ANY (CAST(:tenants AS text[])) AND e.at >= :since AND e.activity IS NULL
           AND e.outcome IN ('passed', 'refused', 'answered', 'deprovision', 'leave', 'undecided', 'braked')
         GROUP BY 1, 2
    ), counted AS (
        SELECT f.tenant, f.rule, f.is_unique, f.outcome, count(*) AS times, count(DISTINCT f.subject) AS people,
               array_agg(DISTINCT f.hook ORDER BY f.hook) AS hooks, min(f.at) AS first, max(f.at) AS last
          FROM numbered f GROUP BY 1, 2, 3, 4
    )
    SELECT c.tenant, c.rule, c.is_unique, c.outcome, c.times, c.people, c.hooks,
           (SELECT coalesce(sum(k.n), 0)::bigint FROM calls k WHERE k.tenant = c.tenant AND k.hook = ANY (c.hooks)),
           c.first, c.last,
           (SELECT json_agg(json_build_object(
                       'at', n.at, 'subject', n.subject, 'login', h.value, 'hook', n.hook, 'receipt', n.delivery,
                       'code', n.detail -> 'code', 'words', n.detail -> 'words') ORDER BY n.id DESC)
              FROM numbered n
              LEFT JOIN LATERAL (SELECT value FROM handles WHERE subject = n.subject AND kind = 'login'
                                  ORDER BY until DESC NULLS FIRST LIMIT 1) h ON true
             WHERE n.tenant = c.tenant AND n.rule = c.rule AND n.is_unique = c.is_unique AND n.outcome = c.outcome
               AND n.n <= :few)
      FROM counted c ORDER BY c.tenant, c.rule, c.outcome
""")


async def count_findings(
    connection: AsyncConnection, tenants: list[str], since: datetime, rule: str | None, few: int
) -> list[Count]:
    """By tenant, rule and outcome, with the `few` newest of each."""
    values = {"tenants": tenants, "since": since, "outcomes": list(OUTCOMES), "rule": rule, "few": few}
    return [Count(*row) for row in await connection.execute(_FIND, values)]
