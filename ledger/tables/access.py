"""Who may ask and act: keys, sessions, requests of two."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.columns import metadata, text_, time_, uuid_

keys = Table(
    "keys",
    metadata,
    text_("id", key=True),
    Column("hash", LargeBinary, nullable=False),
    text_("role"),
    text_("tenant", null=True),
    text_("label"),
    text_("made_by"),
    time_("made_at"),
    time_("expires_at"),
    time_("revoked_at", null=True),
    text_("revoked_by", null=True),
    time_("last_used_at", null=True),
    CheckConstraint("role IN ('auditor', 'operator', 'admin')"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    text_("actor"),
    text_("key", null=True),
    Column("grants", JSONB, nullable=False, server_default=text("'[]'")),
    time_("made_at"),
    time_("seen_at"),
    time_("ends_at"),
    Index("sessions_end", "ends_at"),
    prefixes=["UNLOGGED"],
)

deed_requests = Table(
    "deed_requests",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    text_("deed"),
    Column("parameters", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("counted", BigInteger, nullable=False),
    text_("maker"),
    time_("made_at"),
    time_("expires_at"),
    text_("closed_as", null=True),
    text_("checker", null=True),
    time_("closed_at", null=True),
    CheckConstraint("closed_as IN ('approved', 'rejected')"),
    Index("deed_requests_open", "tenant", "made_at", postgresql_where=text("closed_at IS NULL")),
)

found_in_temporal = Table("found_in_temporal", metadata, uuid_("key", key=True), time_("found_at"))
