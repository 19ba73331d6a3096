"""Facts after which nothing was done but writing them down."""

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="without-activity",
    title="Facts for which no activity was configured",
    words="What the platform told and nothing but the ledger's own bookkeeping was planned for, by hook and application: "
    "a tenant who relies on something being done finds here what it is not done for.",
    parameters=Span,
    columns=(
        Column("hook", "text", "What came."),
        Column("application", "text", "The platform's id of the application; empty if the hook names none."),
        Column("facts", "number", "How many."),
        Column("of", "number", "Of so many."),
        Column("first", "time", "The first of them.", brief=False),
        Column("last", "time", "The last of them."),
        Column("example", "text", "The receipt of one."),
    ),
    key=("hook", "application"),
    personal=False,
    sql="""
        SELECT q.hook, q.application, count(*) FILTER (WHERE NOT q.acted) AS facts, count(*) AS of,
               min(q.received_at) FILTER (WHERE NOT q.acted) AS first,
               max(q.received_at) FILTER (WHERE NOT q.acted) AS last,
               max(q.id::text) FILTER (WHERE NOT q.acted) AS example
          FROM (SELECT d.id, d.hook, coalesce(d.application, '') AS application, d.received_at,
                       EXISTS (SELECT 1 FROM work w WHERE w.delivery = d.id AND w.tenant = :tenant
                                  AND w.plan->'bookkeeping' IS DISTINCT FROM 'true'::jsonb) AS acted
                  FROM deliveries d
                 WHERE d.tenant = :tenant AND d.received_at >= :since AND d.received_at < :until
                   AND d.hook = ANY (CAST(:facts AS text[]))) AS q
         GROUP BY q.hook, q.application
        HAVING bool_or(NOT q.acted) AND (q.hook, q.application) > (:after_hook, :after_application)
         ORDER BY q.hook, q.application LIMIT :limit
    """,
)
