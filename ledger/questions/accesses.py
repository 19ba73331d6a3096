"""Who read the ledger itself."""

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="accesses",
    title="Accesses to the ledger itself",
    words="Every reading of personal data, oldest first: who asked what, about whom, how many rows they got and the "
    "hash of these. A stream is `reading` when it begins, and `read` or `broken off` when it has ended. The whole ledger read "
    "to verify it is `verified`, or `does not fit`.",
    parameters=Span,
    columns=(
        Column("id", "number", "The entry's number.", brief=False),
        Column("at", "time", "When it was read."),
        Column("actor", "text", "Who read: os:NAME at this machine, key:ID or oidc:SUB over the API."),
        Column("question", "text", "What they asked."),
        Column("parameters", "detail", "With which parameters; a person is told by subject."),
        Column("subject", "person", "Whom they asked about, if about one person.", brief=False),
        Column("login", "login", "What that person is called now."),
        Column("outcome", "text", "reading, read, or broken off; verified, or does not fit."),
        Column("rows", "number", "How many rows they were given."),
        Column("sha256", "text", "Of these rows.", brief=False),
        Column("receipt", "id", "Names the reading, also in its report."),
        Column("code_version", "text", "The release that answered.", brief=False),
    ),
    key=("at", "id"),
    sql="""
        SELECT e.id, e.at, e.actor, e.detail->>'question' AS question, e.detail->'parameters' AS parameters, e.subject,
               e.outcome, (e.detail->>'rows')::bigint AS rows, e.detail->>'sha256' AS sha256, e.delivery AS receipt,
               e.code_version
          FROM entries e
         WHERE e.tenant = :tenant AND e.hook IN ('operator', 'access') AND e.hook = 'access'
           AND e.at >= :since AND e.at < :until AND (e.at, e.id) > (:after_at, :after_id)
         ORDER BY e.at, e.id LIMIT :limit
    """,
)
