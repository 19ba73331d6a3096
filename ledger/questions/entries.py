"""Everything that the ledger has, by what and when."""

from pydantic import Field

from ledger.questions.parameters import Name, Span
from ledger.questions.question import Column, Question


class Entries(Span):
    """Between two moments, of one hook, activity, application, outcome or actor, or of all."""

    hook: Name | None = Field(default=None, description="Only of this hook; operator and access are ours.")
    activity: Name | None = Field(default=None, description="Only of this activity.")
    application: Name | None = Field(default=None, description="Only of this application.")
    outcome: Name | None = Field(default=None, description="Only with this outcome.")
    actor: Name | None = Field(default=None, description="Only by this actor, as it stands in the ledger.")


QUESTION = Question(
    name="entries",
    title="Search the ledger",
    words="Every entry that fits, oldest first: what came, what was decided, what each activity did, what operators did, "
    "and who read.",
    parameters=Entries,
    columns=(
        Column("id", "number", "The entry's number, by which it is proved.", brief=False),
        Column("at", "time", "When it was recorded."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("hook", "text", "What came; operator for a deed, access for a reading."),
        Column("application", "text", "The platform's id of the application."),
        Column("activity", "text", "Which activity it tells of; empty: the delivery itself."),
        Column("outcome", "text", "What became of it."),
        Column("attempt", "number", "Which attempt of the activity.", brief=False),
        Column("actor", "text", "Who did it, as the token asserts; of deeds and readings, as we know it."),
        Column("acting_for", "text", "On whose behalf.", brief=False),
        Column("detail", "detail", "More, without values of persons."),
        Column("seq", "number", "Which delivery of this person it is of.", brief=False),
        Column("delivery", "id", "The receipt."),
        Column("code_version", "text", "The release that wrote it.", brief=False),
        Column("rules_hash", "text", "The rules as they were.", brief=False),
    ),
    key=("at", "id"),
    sql="""
        SELECT e.id, e.at, e.subject, e.hook, e.application, e.activity, e.outcome, e.attempt, e.actor, e.acting_for,
               e.detail, e.seq, e.delivery, e.code_version, e.rules_hash
          FROM entries e
         WHERE e.tenant = :tenant AND e.at >= :since AND e.at < :until
           AND (CAST(:hook AS text) IS NULL OR e.hook = CAST(:hook AS text))
           AND (CAST(:activity AS text) IS NULL OR e.activity = CAST(:activity AS text))
           AND (CAST(:application AS text) IS NULL OR e.application = CAST(:application AS text))
           AND (CAST(:outcome AS text) IS NULL OR e.outcome = CAST(:outcome AS text))
           AND (CAST(:actor AS text) IS NULL OR e.actor = CAST(:actor AS text))
           AND (e.at, e.id) > (:after_at, :after_id)
         ORDER BY e.at, e.id LIMIT :limit
    """,
)
