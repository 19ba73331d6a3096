"""What operators did, and why."""

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="deeds",
    title="Who changed what as an operator",
    words="Every deed, oldest first, with who did it and the reason that they gave. A reason may have been erased; that "
    "the deed was done, and when, cannot be.",
    parameters=Span,
    columns=(
        Column("at", "time", "When it was done."),
        Column("actor", "text", "Who did it."),
        Column("deed", "text", "redrive, skip, pause, resume, release brake, …"),
        Column("reason", "text", "Why, in their words; empty if erased."),
        Column("subject", "person", "Whom it was about, if about one person.", brief=False),
        Column("login", "login", "What that person is called now."),
        Column("activity", "text", "Whose work."),
        Column("of", "text", "The receipt of the delivery that it was done to."),
        Column("detail", "detail", "More.", brief=False),
        Column("delivery", "id", "The deed's own receipt.", brief=False),
        Column("code_version", "text", "The release that did it.", brief=False),
        Column("id", "number", "The entry's number.", brief=False),
    ),
    key=("at", "id"),
    sql=r"""
        SELECT e.at, e.actor, e.outcome AS deed,
               CASE WHEN strpos(b.body, '\u0000') = 0 THEN b.body::json->'request'->>'reason' END AS reason, e.subject,
               e.activity, e.detail->>'of' AS of, e.detail - 'of' AS detail, e.delivery, e.code_version, e.id
          FROM entries e LEFT JOIN bodies b ON b.delivery = e.delivery
         WHERE e.tenant = :tenant AND e.hook IN ('operator', 'access') AND e.hook = 'operator'
           AND e.at >= :since AND e.at < :until AND (e.at, e.id) > (:after_at, :after_id)
         ORDER BY e.at, e.id LIMIT :limit
    """,
)
