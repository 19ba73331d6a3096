"""What was erased, is due to be, and must not be."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)

from ledger.tables.columns import metadata, text_, time_, uuid_

legal_holds = Table(
    "legal_holds",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    uuid_("subject"),
    text_("placed_by"),
    time_("since"),
    text_("released_by", null=True),
    time_("released_at", null=True),
    Index("legal_holds_open", "subject", postgresql_where=text("released_at IS NULL")),
)

erasures = Table(
    "erasures",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    uuid_("subject"),
    Column("number", BigInteger),
    Column("hash", LargeBinary),
    text_("certificate"),
    time_("at"),
    time_("replayed_at", null=True),
    Index("erasures_number", "number", unique=True, postgresql_where=text("number IS NOT NULL")),
    Index("erasures_subject", "subject"),
)

erasures_due = Table(
    "erasures_due",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    uuid_("subject"),
    time_("due"),
    text_("actor"),
    text_("code"),
    Column("names", ARRAY(Text), nullable=False),
    Column("skip_work", Boolean, nullable=False),
    Column("anyway", Boolean, nullable=False),
    time_("asked_at"),
    time_("ended_at", null=True),
    text_("ended_as", null=True),
    CheckConstraint("ended_as IN ('erased', 'withdrawn')"),
    Index("erasures_due_open", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("erasures_due_time", "due", postgresql_where=text("ended_at IS NULL")),
)
