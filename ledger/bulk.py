"""Redriving many at once: by a filter, never more than were counted, a few in each transaction so that no hook waits long."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.operate import Done, NoSuchWork, Order, operate
from ledger.plan import Ref

State = Literal["failed", "refused", "held", "secret_gone"]
STATES: tuple[State, ...] = ("failed", "refused", "held", "secret_gone")
MOST = 10_000
"""Pieces of work that one deed may redrive."""
AT_ONCE = 50
"""Of one transaction: as long as it takes, hooks for its people wait."""

_OF = """
      FROM work w
     WHERE w.tenant = :tenant AND (w.state = 'held' OR w.outcome IN ('failed', 'refused', 'secret_gone'))
       AND CASE WHEN w.state = 'held' THEN 'held' WHEN w.state = 'settled' THEN w.outcome END = ANY (CAST(:states AS text[]))
       AND (CAST(:activity AS text) IS NULL OR w.activity = :activity)
       AND (CAST(:hook AS text) IS NULL OR w.hook = :hook)
       AND (CAST(:application AS text) IS NULL OR w.application = :application)
       AND coalesce(w.settled_at, w.claimed_at, w.due) >= coalesce(CAST(:since AS timestamptz), '-infinity')
       AND coalesce(w.settled_at, w.claimed_at, w.due) < coalesce(CAST(:until AS timestamptz), 'infinity')
       AND (CAST(:cause AS text) IS NULL OR EXISTS (
            SELECT 1 FROM faults f WHERE f.delivery = w.delivery AND f.activity = w.activity AND f.cause = :cause))
"""
_COUNT = text(f"SELECT w.activity, count(*) {_OF} GROUP BY w.activity ORDER BY w.activity")
_FIND = text(f"SELECT w.delivery::text, w.activity {_OF} ORDER BY w.subject, w.seq, w.activity LIMIT :most")
_STILL = text(f"SELECT w.delivery::text, w.activity {_OF} AND w.delivery = ANY (CAST(:deliveries AS uuid[]))")


class MoreThanCounted(Exception):
    """More would be done than somebody has looked at; the text says how many."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which work. None: whatever it is. `since` and `until` are when it ended, or was claimed last.

    cause: why its last attempt failed, as an incident says it.  rate: pieces a second; None: all at once.
    """

    tenant: str
    states: tuple[State, ...] = STATES
    activity: str | None = None
    hook: str | None = None
    application: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cause: str | None = None
    rate: float | None = None

    def parameters(self) -> dict[str, Any]:
        """As JSON has it; the inverse of `of`."""
        return json.loads(json.dumps(asdict(self), default=datetime.isoformat))

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """From what `parameters` gave."""
        since, until = (parameters[name] for name in ("since", "until"))
        return cls(
            tenant=parameters["tenant"],
            states=tuple(parameters["states"]),
            activity=parameters["activity"],
            hook=parameters["hook"],
            application=parameters["application"],
            since=datetime.fromisoformat(since) if since else None,
            until=datetime.fromisoformat(until) if until else None,
            # An earlier release did not ask for them.
            cause=parameters.get("cause"),
            rate=parameters.get("rate"),
        )


async def count(connection: AsyncConnection, selection: Selection) -> dict[str, int]:
    """How many pieces of each activity."""
    return {row[0]: row[1] for row in await connection.execute(_COUNT, _values(selection))}


async def find(connection: AsyncConnection, selection: Selection, counted: int) -> list[Ref]:
    """What is to be redriven. Raises MoreThanCounted, NoSuchWork."""
    most = min(counted, MOST)
    rows = list(await connection.execute(_FIND, _values(selection) | {"most": most + 1}))
    if len(rows) > most:
        words = f"{counted:,} were counted" if counted <= MOST else f"one deed may redrive {MOST:,}"
        raise MoreThanCounted(f"{words}, and there are more now: count again")
    if not rows:
        raise NoSuchWork("nothing is failed, refused or held there")
    return [Ref(row[0], row[1]) for row in rows]


async def redrive_some(
    connection: AsyncConnection, selection: Selection, refs: Sequence[Ref], make: Callable[[Ref], Order]
) -> list[Done]:
    """Redrives those that are still as they were found, in the caller's transaction; gives whom to ring."""
    deliveries = sorted({UUID(ref.delivery) for ref in refs})
    still = {
        Ref(r[0], r[1])
        for r in await connection.execute(_STILL, _values(selection) | {"deliveries": deliveries})
    }
    done: list[Done] = []
    for ref in refs:
        if ref not in still:
            continue
        done.append(await operate(connection, make(ref)))
    return done


def _values(selection: Selection) -> dict[str, Any]:
    values = asdict(selection) | {"states": list(selection.states)}
    del values["rate"]
    return values
