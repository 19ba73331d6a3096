"""Who joined, moved and left in a period."""

from typing import Literal

from pydantic import Field

from ledger.questions.parameters import OfPeriod
from ledger.questions.question import Column, Question


class Changes(OfPeriod):
    """Of a period, of one kind or of all."""

    kind: Literal["joiner", "mover", "leaver"] | None = Field(default=None, description="Only these.")


QUESTION = Question(
    name="joiners-movers-leavers",
    title="Joiners, movers and leavers of a year, quarter or month",
    words="A joiner is somebody of whose creation the platform told (an import is none). A mover is somebody whose place "
    "in the organisation was changed: department, designation, grade, manager, unit, type, partner, country or city. "
    "A leaver is somebody who was deleted or archived, and was not before.",
    parameters=Changes,
    columns=(
        Column("at", "time", "When the ledger had it."),
        Column("kind", "text", "joiner, mover or leaver."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("changed", "detail", "Of a mover: which attributes changed."),
        Column("actor", "text", "Who asked, as the token asserts."),
        Column("acting_for", "text", "On whose behalf.", brief=False),
        Column("delivery", "id", "The receipt.", brief=False),
        Column("id", "number", "The entry's number.", brief=False),
    ),
    key=("at", "id"),
    sql="""
        SELECT q.at, q.kind, q.subject, CASE q.kind WHEN 'mover' THEN q.changed END AS changed, q.actor, q.acting_for,
               q.delivery, q.id
          FROM (SELECT e.*, e.detail->'changed' AS changed,
                       CASE WHEN e.activity IS NULL THEN 'joiner' WHEN e.outcome = 'left' THEN 'leaver' ELSE 'mover' END AS kind
                  FROM entries e
                 WHERE e.tenant = :tenant AND e.at >= :since AND e.at < :until AND e.subject IS NOT NULL
                   AND (e.at, e.id) > (:after_at, :after_id)
                   AND ((e.hook = 'postCreateUser' AND e.activity IS NULL AND e.outcome IN ('received', 'missed create'))
                        OR (e.hook = 'postUpdateUser' AND e.activity = 'change' AND e.outcome IN ('changed', 'left')))) AS q
         WHERE (CAST(:kind AS text) IS NULL OR q.kind = CAST(:kind AS text))
           AND CASE q.kind
               WHEN 'joiner' THEN NOT EXISTS (
                    SELECT 1 FROM entries p WHERE p.tenant = :tenant AND p.subject = q.subject AND p.id < q.id
                       AND p.hook = 'postCreateUser' AND p.activity IS NULL)
               WHEN 'leaver' THEN coalesce((
                    SELECT p.outcome FROM entries p WHERE p.tenant = :tenant AND p.subject = q.subject AND p.id < q.id
                       AND p.hook = 'postUpdateUser' AND p.activity = 'change' AND p.outcome IN ('changed', 'left')
                     ORDER BY p.id DESC LIMIT 1), '') <> 'left'
               ELSE q.changed ?| ARRAY['department', 'designation', 'grade', 'managerId', 'orgUnitId', 'userType',
                                       'associatedPartner', 'country', 'city'] END
         ORDER BY q.at, q.id LIMIT :limit
    """,
)
