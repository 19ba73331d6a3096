"""Who had an application on a day, how each got it and lost it."""

from datetime import date
from typing import Any

from pydantic import Field

from ledger.questions.parameters import Name, Parameters, day_of
from ledger.questions.question import Column, Question


class Holding(Parameters):
    """Which application, on which day."""

    application: Name = Field(description="The platform's id of the application.")
    on: date = Field(description="A UTC day, such as 2026-11-25: who had it at any moment of that day.")

    def values(self) -> dict[str, Any]:
        """The day's first moment, and the next day's."""
        begin, end = day_of(self.on)
        return self.model_dump(exclude={"on"}) | {"begin": begin, "end": end}


QUESTION = Question(
    name="who-had",
    title="Who had an application on a day, and how each got it and lost it",
    words="One row for each person and role (an empty role is the application itself) held at any moment of that UTC "
    "day. The state is what is known today: granted; ending (its removal was begun); ended confirmed (the platform told "
    "of it); ended inferred (a later record of the user no longer lists it); unknown (the person was archived and "
    "nothing told of an end: it counts as held).",
    parameters=Holding,
    columns=(
        Column("since", "time", "From when on."),
        Column("subject", "person", "The person's pseudonym.", brief=False),
        Column("login", "login", "What they are called now."),
        Column("role", "text", "The role's id; empty for the application itself."),
        Column("state", "text", "What is known today, and how."),
        Column("until", "time", "Up to when; empty while it is held."),
        Column("got_by", "text", "The hook that told of it."),
        Column("got_from", "text", "Who asked for it, as the token asserts."),
        Column("got_for", "text", "On whose behalf.", brief=False),
        Column("got_receipt", "id", "That hook's receipt.", brief=False),
        Column("lost_by", "text", "The hook that told of the end."),
        Column("lost_from", "text", "Who asked for the end, as the token asserts."),
        Column("lost_for", "text", "On whose behalf.", brief=False),
        Column("lost_receipt", "id", "That hook's receipt.", brief=False),
    ),
    key=("since", "subject", "role"),
    sql="""
        SELECT t.since, t.subject, t.role, t.state, t.until,
               g.hook AS got_by, g.actor AS got_from, g.acting_for AS got_for, t.opened_by AS got_receipt,
               l.hook AS lost_by, l.actor AS lost_from, l.acting_for AS lost_for, t.closed_by AS lost_receipt
          FROM held_in(:tenant, :application, :begin, :end) t
          LEFT JOIN deliveries g ON g.id = t.opened_by
          LEFT JOIN deliveries l ON l.id = t.closed_by
         WHERE (t.since, t.subject, t.role) > (:after_since, :after_subject, :after_role)
         ORDER BY t.since, t.subject, t.role LIMIT :limit
    """,
)
