"""Which hooks come, and which have fallen silent."""

from datetime import timedelta
from typing import Any

from pydantic import Field

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question


class Listening(Span):
    """Between two moments, and when a hook is silent."""

    days: int = Field(default=7, ge=1, le=3650, description="Silent is what did not come for so many days.")

    def values(self) -> dict[str, Any]:
        """The days as a time."""
        whole = super().values()
        return whole | {"quiet": timedelta(days=whole.pop("days"))}


QUESTION = Question(
    name="hooks-seen",
    title="Hooks seen and silent, by application",
    words="How often each hook came for each application, when first and last, and whether it is silent now. Hooks that "
    "never came stand here too: they may be switched off in the platform. That a hook is silent does not say that "
    "something is wrong, only that there is no evidence.",
    parameters=Listening,
    columns=(
        Column("hook", "text", "Of the platform's, or unknown to this release."),
        Column("application", "text", "The platform's id of the application; empty if the hook names none."),
        Column("times", "number", "How often it came."),
        Column("first", "time", "When first."),
        Column("last", "time", "When last."),
        Column("silent", "flag", "Whether it did not come in the last days."),
    ),
    key=("hook", "application"),
    personal=False,
    sql="""
        WITH seen AS (
            SELECT d.hook, coalesce(d.application, '') AS application, count(*) AS times, min(d.received_at) AS first,
                   max(d.received_at) AS last
              FROM deliveries d
             WHERE d.tenant = :tenant AND d.received_at >= :since AND d.received_at < :until
               AND d.hook NOT IN ('operator', 'import', 'reconcile')
             GROUP BY 1, 2
        )
        SELECT q.hook, q.application, sum(q.times)::bigint AS times, min(q.first) AS first, max(q.last) AS last,
               coalesce(max(q.last) < least(clock_timestamp(), :until) - CAST(:quiet AS interval), true) AS silent
          FROM (SELECT * FROM seen
                UNION ALL
                SELECT h, '', 0, NULL, NULL FROM unnest(CAST(:hooks AS text[])) AS h
                 WHERE h NOT IN (SELECT s.hook FROM seen s)) AS q
         GROUP BY q.hook, q.application
        HAVING (q.hook, q.application) > (:after_hook, :after_application)
         ORDER BY q.hook, q.application LIMIT :limit
    """,
)
