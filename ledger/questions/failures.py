"""What has failed and has not been put right."""

from typing import Literal

from pydantic import Field

from ledger.questions.parameters import Name, Parameters
from ledger.questions.question import Column, Question


class Broken(Parameters):
    """All, or those of one activity, hook, application or state."""

    activity: Name | None = Field(default=None, description="Only what this activity was to do.")
    hook: Name | None = Field(default=None, description="Only what this hook caused.")
    application: Name | None = Field(
        default=None, description="Only of this application, by the platform's id."
    )
    state: Literal["failed", "refused", "secret_gone", "held"] | None = Field(
        default=None, description="Only in this state."
    )


QUESTION = Question(
    name="failures",
    title="Failures that are open now",
    words="Work that gave up, was refused or lost its secret, and work that is held until an operator looks at it; the "
    "longest due first. What a redrive put right is not among them, what was skipped neither.",
    parameters=Broken,
    columns=(
        Column("due", "time", "When it was to run."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("hook", "text", "What caused it."),
        Column("application", "text", "The platform's id of the application."),
        Column("activity", "text", "What was to be done."),
        Column("state", "text", "failed, refused, secret_gone or held."),
        Column("attempt", "number", "How many attempts there were."),
        Column("ended_at", "time", "When it gave up; empty while it is held.", brief=False),
        Column("said", "text", "The last thing an attempt said; empty if nothing, or if it has been erased."),
        Column("delivery", "id", "The receipt."),
    ),
    key=("due", "delivery", "activity"),
    sql="""
        SELECT w.due, w.subject, w.hook, w.application, w.activity,
               CASE WHEN w.state = 'held' THEN 'held' ELSE w.outcome END AS state, w.attempt, w.settled_at AS ended_at,
               f.text AS said, w.delivery
          FROM work w LEFT JOIN faults f ON f.delivery = w.delivery AND f.activity = w.activity
         WHERE w.tenant = :tenant AND (w.state = 'held' OR w.outcome IN ('failed', 'refused', 'secret_gone'))
           AND (w.state = 'held' OR w.state = 'settled')
           AND (CAST(:activity AS text) IS NULL OR w.activity = CAST(:activity AS text))
           AND (CAST(:hook AS text) IS NULL OR w.hook = CAST(:hook AS text))
           AND (CAST(:application AS text) IS NULL OR w.application = CAST(:application AS text))
           AND (CAST(:state AS text) IS NULL
                OR CASE WHEN w.state = 'held' THEN 'held' ELSE w.outcome END = CAST(:state AS text))
           AND (w.due, w.delivery, w.activity) > (:after_due, :after_delivery, :after_activity)
         ORDER BY w.due, w.delivery, w.activity LIMIT :limit
    """,
)
