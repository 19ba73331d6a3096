"""Calls to the platform that activities made, and the hooks that these caused: a chain of them has an end."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.plan import Ref


@dataclass(frozen=True, slots=True)
class Chain:
    """What caused a hook: the delivery whose work called the platform, the `depth`th in a row."""

    caused_by: str
    depth: int


_CAUSE = text("""
    SELECT c.delivery::text, c.depth FROM deliveries d JOIN platform_calls c ON c.subject = d.subject
     WHERE d.id = :delivery AND c.delivery <> d.id AND (CAST(:actor AS text) IS NULL OR d.actor = :actor)
       AND c.at BETWEEN d.received_at - :window * interval '1 second' AND d.received_at
     ORDER BY c.depth DESC, c.at DESC LIMIT 1
""")
_NOTE = text("""
    INSERT INTO platform_calls (delivery, activity, attempt, tenant, subject, depth, at)
    SELECT w.delivery, w.activity, :attempt, w.tenant, w.subject, :depth, clock_timestamp() FROM work w
     WHERE w.delivery = :delivery AND w.activity = :activity
    ON CONFLICT DO NOTHING
""")


async def find_cause(
    connection: AsyncConnection, delivery: str, window: float, actor: str | None
) -> Chain | None:
    """The call about the same person at most `window` seconds before this delivery; the deepest.

    actor: as whom our own calls come back, as the ledger names them; None: whoever it was.
    """
    values = {"delivery": UUID(delivery), "window": window, "actor": actor}
    row = (await connection.execute(_CAUSE, values)).first()
    return Chain(row[0], row[1]) if row else None


async def note_call(connection: AsyncConnection, ref: Ref, attempt: int, depth: int) -> None:
    """This attempt is about to call the platform."""
    values = {"delivery": UUID(ref.delivery), "activity": ref.activity, "attempt": attempt, "depth": depth}
    await connection.execute(_NOTE, values)
