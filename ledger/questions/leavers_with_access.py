"""Leavers whose access did not end in time."""

from datetime import timedelta
from typing import Any

from pydantic import Field

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question


class InTime(Span):
    """Who left between two moments, and what is in time."""

    hours: int = Field(
        default=24, ge=0, le=87_600, description="Access is to end within so many hours of leaving."
    )

    def values(self) -> dict[str, Any]:
        """The hours as a time."""
        whole = super().values()
        return whole | {"within": timedelta(hours=whole.pop("hours"))}


QUESTION = Question(
    name="leavers-with-access",
    title="Leavers whose access did not end in time",
    words="One row for each application and role that a leaver still held when the hours were over. The clock starts "
    "when the platform told that they were deleted or archived, or before that when runDeprovision was answered true. "
    "What nothing told an end of is held.",
    parameters=InTime,
    columns=(
        Column("left_at", "time", "When the clock started."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("application", "text", "The platform's id of the application."),
        Column("role", "text", "The role's id; empty for the application itself."),
        Column("state", "text", "What is known today, and how."),
        Column("since", "time", "From when on it was held."),
        Column("until", "time", "When it ended, too late; empty while it is held."),
        Column("hours_late", "number", "Whole hours beyond those allowed, up to its end or to now."),
        Column("got_receipt", "id", "The receipt that told of it.", brief=False),
        Column("lost_receipt", "id", "The receipt that told of its end.", brief=False),
    ),
    key=("left_at", "subject", "application", "role", "since"),
    sql="""
        SELECT q.left_at, q.subject, q.application, q.role, q.state, q.since, q.until,
               floor(extract(epoch FROM coalesce(q.until, clock_timestamp()) - q.left_at - CAST(:within AS interval)) / 3600)::bigint AS hours_late,
               q.opened_by AS got_receipt, q.closed_by AS lost_receipt
          FROM (SELECT least(i.left_at, CASE WHEN t.ending_since >= t.since THEN t.ending_since END) AS left_at, t.subject,
                       t.application, t.role, t.state, t.since, t.until, t.opened_by, t.closed_by
                  FROM identities i JOIN entitlements t ON t.subject = i.subject AND t.tenant = i.tenant
                 WHERE i.tenant = :tenant AND i.left_at >= :since AND i.left_at < :until) AS q
         WHERE coalesce(q.until, clock_timestamp()) > q.left_at + CAST(:within AS interval)
           AND (q.left_at, q.subject, q.application, q.role, q.since)
               > (:after_left_at, :after_subject, :after_application, :after_role, :after_since)
         ORDER BY q.left_at, q.subject, q.application, q.role, q.since LIMIT :limit
    """,
)
