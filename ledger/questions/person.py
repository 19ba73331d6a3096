"""Everything about one person, in order."""

from ledger.questions.parameters import PersonSpan
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="person",
    title="Everything about this person, in order",
    words="Every entry about the person, oldest first: what came, what was answered, what was done and how it went, what "
    "operators did, and who read of them. Whoever was ever called so is meant: a login that was given on names two.",
    parameters=PersonSpan,
    columns=(
        Column("id", "number", "The entry's number.", brief=False),
        Column("at", "time", "When it was written."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("seq", "number", "Which of the person's deliveries it is about.", brief=False),
        Column("hook", "text", "What came; operator for a deed, access for a reading."),
        Column("application", "text", "The platform's id of the application."),
        Column("activity", "text", "What was done; empty for the receipt itself."),
        Column("outcome", "text", "How it went."),
        Column("attempt", "number", "Which attempt settled it.", brief=False),
        Column("actor", "text", "Who asked, as the token asserts."),
        Column("acting_for", "text", "On whose behalf.", brief=False),
        Column("delivery", "id", "The receipt.", brief=False),
        Column("code_version", "text", "The release that wrote it.", brief=False),
        Column("rules_hash", "text", "The rules that decided.", brief=False),
        Column("detail", "detail", "More, naming nobody."),
    ),
    key=("id",),
    # By person, each in the order of its own index: no plan may walk the whole ledger for a few entries.
    sql="""
        SELECT e.* FROM unnest(CAST(:people AS uuid[])) AS p (subject)
         CROSS JOIN LATERAL (
               SELECT e.id, e.at, e.subject, e.seq, e.hook, e.application, e.activity, e.outcome, e.attempt, e.actor,
                      e.acting_for, e.delivery, e.code_version, e.rules_hash, e.detail
                 FROM entries e
                WHERE e.subject = p.subject AND e.tenant = :tenant AND e.id > :after_id
                  AND e.at >= :since AND e.at < :until
                ORDER BY e.id LIMIT :limit) AS e
         ORDER BY e.id LIMIT :limit
    """,
)
