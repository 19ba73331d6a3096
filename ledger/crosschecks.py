"""What the tree alone does not show: entries beside it, gaps in a person's numbers, bodies and deliveries that were altered.

Each check is one statement that the server runs on whole tables; it gives the first few rows that do not fit, and how many
there are.
"""

from dataclasses import dataclass
from typing import Any

from ledger.access import HOOK as ACCESS
from ledger.dropped import Dropped
from ledger.leaf import selected
from ledger.lines import all_lines
from ledger.recompute import Finding, Kind

_SHOWN = 5
LEAFLESS = f"""
    SELECT {selected("e")} FROM entries e
     WHERE NOT EXISTS (SELECT 1 FROM leaves l WHERE l.entry = e.id)
       AND NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.entry = e.id)
     ORDER BY e.id LIMIT $1
"""
"""Entries that are neither sealed nor queued, as they would be sealed."""


@dataclass(frozen=True, slots=True)
class Check:
    """`sql` gives a row's name, words about it, and how many there are. In it, :dropped is what retention has dropped."""

    name: str
    kind: Kind
    sql: str
    whole: bool = True
    """It reads everything, so it belongs to a look at the whole ledger."""


CHECKS = (
    Check(
        "the queue",
        "missing",
        f"""
        SELECT 'entry ' || u.entry, 'it waits to be sealed, and is not there', count(*) OVER ()
          FROM unsealed u WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = u.entry) ORDER BY u.entry LIMIT {_SHOWN}
        """,
        whole=False,
    ),
    Check(
        "entries sealed and queued",
        "inserted",
        f"""
        SELECT 'entry ' || u.entry, 'it is sealed, and was put into the queue again', count(*) OVER ()
          FROM unsealed u WHERE EXISTS (SELECT 1 FROM leaves l WHERE l.entry = u.entry) ORDER BY u.entry LIMIT {_SHOWN}
        """,
        whole=False,
    ),
    Check(
        "every person's numbers",
        "missing",
        f"""
        SELECT 'delivery ' || expected || ' of subject ' || subject,
               CASE WHEN found IS NULL THEN 'it was given out, and no delivery has it' ELSE 'the next one is ' || found END,
               count(*) OVER ()
          FROM (SELECT d.subject, coalesce(lag(d.seq) OVER numbers, 0) + 1 AS expected, d.seq AS found,
                       lag(d.id) OVER numbers AS before, d.id AS behind, NULL::timestamptz AS began
                  FROM deliveries d WHERE d.subject IS NOT NULL WINDOW numbers AS (PARTITION BY d.subject ORDER BY d.seq)
                 UNION ALL
                SELECT s.id, coalesce(l.seq, 0) + 1, NULL, l.id, NULL, s.created_at
                  FROM subjects s
                  LEFT JOIN LATERAL (SELECT d.seq, d.id FROM deliveries d WHERE d.subject = s.id ORDER BY d.seq DESC LIMIT 1) AS l ON true
                 WHERE l.seq IS DISTINCT FROM s.seq) AS numbers
         WHERE expected IS DISTINCT FROM found AND found IS DISTINCT FROM expected - 1
           AND NOT EXISTS (SELECT 1 FROM :dropped
                            WHERE (before IS NULL OR before < high) AND (behind IS NULL OR behind >= low)
                              AND (before IS NOT NULL OR began IS NULL OR began < ends + interval '1 day'))
         ORDER BY subject, expected LIMIT {_SHOWN}
        """,
    ),
    Check(
        "numbers given twice",
        "inserted",
        f"""
        SELECT 'delivery ' || d.seq || ' of subject ' || d.subject, count(*) || ' deliveries have this number', count(*) OVER ()
          FROM deliveries d WHERE d.subject IS NOT NULL GROUP BY d.subject, d.seq HAVING count(*) > 1
         ORDER BY d.subject, d.seq LIMIT {_SHOWN}
        """,
    ),
    Check(
        "bodies against commitments",
        "changed",
        f"""
        SELECT 'body of delivery ' || d.id, 'body and salt are not what was committed to', count(*) OVER ()
          FROM bodies b JOIN deliveries d ON d.id = b.delivery
         WHERE d.commitment IS DISTINCT FROM sha256('hookledger/body/v1'::bytea || '\\x00'::bytea || b.salt || convert_to(b.body, 'UTF8'))
         ORDER BY d.received_at, d.id LIMIT {_SHOWN}
        """,
    ),
    Check(
        "bodies without a delivery",
        "inserted",
        f"""
        SELECT 'body of delivery ' || b.delivery, 'there is no such delivery', count(*) OVER ()
          FROM bodies b WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = b.delivery)
         ORDER BY b.delivery LIMIT {_SHOWN}
        """,
    ),
    Check(
        "deliveries without an entry",
        "inserted",
        f"""
        SELECT 'delivery ' || d.id, 'no entry tells of it', count(*) OVER ()
          FROM deliveries d WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.delivery = d.id)
         ORDER BY d.received_at, d.id LIMIT {_SHOWN}
        """,
    ),
    Check(
        "deliveries against entries",
        "changed",
        f"""
        SELECT 'delivery ' || d.id, 'its columns are not those of its entry', count(*) OVER ()
          FROM deliveries d
         WHERE EXISTS (SELECT 1 FROM entries e WHERE e.delivery = d.id)
           AND NOT EXISTS (
               SELECT 1 FROM entries e
                WHERE e.delivery = d.id AND e.tenant = d.tenant AND e.hook = d.hook AND e.actor = d.actor
                  AND e.subject IS NOT DISTINCT FROM d.subject AND e.seq IS NOT DISTINCT FROM d.seq
                  AND e.application IS NOT DISTINCT FROM d.application AND e.acting_for IS NOT DISTINCT FROM d.acting_for
                  AND e.rules_hash = d.rules_hash AND e.commitment = d.commitment
                  AND e.outcome IN (d.verdict, 'suspected duplicate')
                  AND e.at BETWEEN d.received_at - interval '1 minute' AND d.received_at + interval '1 hour'
                  AND CASE WHEN d.codes = '{{}}' THEN NOT e.detail ? 'attributes'
                           ELSE e.detail -> 'attributes' = to_jsonb(d.codes) END)
         ORDER BY d.received_at, d.id LIMIT {_SHOWN}
        """,
    ),
    Check(
        "entries without a delivery",
        "missing",
        f"""
        SELECT 'delivery ' || e.delivery, 'entry ' || e.id || ' tells of it, and it is not there', count(*) OVER ()
          FROM entries e
         WHERE e.hook <> '{ACCESS}' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = e.delivery)
           AND NOT EXISTS (SELECT 1 FROM :dropped WHERE e.delivery >= low AND e.delivery < high)
         ORDER BY e.id LIMIT {_SHOWN}
        """,
    ),
)


async def run_check(connection: Any, check: Check, dropped: Dropped) -> list[Finding]:
    """The first rows that do not fit; the last of them says how many more there are."""
    rows = await connection.fetch(check.sql.replace(":dropped", dropped.table()))
    found = [Finding(check.kind, row[0], row[1]) for row in rows]
    if rows and rows[0][2] > len(rows):
        last = found[-1]
        found[-1] = Finding(last.kind, last.row, f"{last.words}; and {rows[0][2] - len(rows)} more like it")
    return found


async def read_leafless(connection: Any, most: int = 50) -> list[bytes]:
    """Lines of entries that are neither sealed nor queued."""
    return await all_lines(connection, LEAFLESS, most)
