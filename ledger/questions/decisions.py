"""Decisions that were refused, that a shadow would have made otherwise, or that were made without the store."""

from typing import Literal

from pydantic import Field

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question


class Decided(Span):
    """Between two moments, of one kind or of all."""

    kind: Literal["refused", "shadowed", "degraded"] | None = Field(default=None, description="Only these.")


QUESTION = Question(
    name="decisions",
    title="Refused, shadowed and degraded decisions",
    words="refused: the platform was told no, or access was left in place by the brake. shadowed: a rule or a unique "
    "attribute in shadow would have answered otherwise, and did not. degraded: answered while the store was out of "
    "reach, or after a rule had gone wrong. ./hookledger why RECEIPT explains each.",
    parameters=Decided,
    columns=(
        Column("at", "time", "When it was recorded."),
        Column("kind", "text", "refused, shadowed or degraded."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("hook", "text", "What was asked."),
        Column("application", "text", "The platform's id of the application."),
        Column("outcome", "text", "What was answered, or would have been."),
        Column("detail", "detail", "Which attributes or rules."),
        Column("rules_hash", "text", "The rules as they were.", brief=False),
        Column("actor", "text", "Who asked, as the token asserts."),
        Column("acting_for", "text", "On whose behalf.", brief=False),
        Column("delivery", "id", "The receipt."),
        Column("id", "number", "The entry's number.", brief=False),
    ),
    key=("at", "id"),
    sql="""
        SELECT q.at, q.kind, q.subject, q.hook, q.application, q.outcome, q.detail, q.rules_hash, q.actor, q.acting_for,
               q.delivery, q.id
          FROM (SELECT e.*, CASE WHEN e.outcome IN ('refused', 'braked') THEN 'refused'
                                 WHEN e.outcome LIKE 'would %' AND e.outcome NOT LIKE 'would have %' THEN 'shadowed'
                                 ELSE 'degraded' END AS kind
                  FROM entries e
                 WHERE e.tenant = :tenant AND e.at >= :since AND e.at < :until AND e.activity IS NULL
                   AND (e.outcome IN ('refused', 'braked', 'passed unchecked', 'turned away', 'answered unchecked',
                                      'undecided', 'not kept', 'rule fault')
                        OR (e.outcome LIKE 'would %' AND e.outcome NOT LIKE 'would have %'))) AS q
         WHERE (CAST(:kind AS text) IS NULL OR q.kind = CAST(:kind AS text)) AND (q.at, q.id) > (:after_at, :after_id)
         ORDER BY q.at, q.id LIMIT :limit
    """,
)
