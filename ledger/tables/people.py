"""Who people are: their handles, states, values and names."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from ledger.tables.columns import metadata, text_, time_, uuid_

subjects = Table(
    "subjects",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("seq", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    uuid_("rehire_of", null=True),
    time_("created_at"),
    Index("subjects_rehires", "rehire_of", postgresql_where=text("rehire_of IS NOT NULL")),
)

handles = Table(
    "handles",
    metadata,
    text_("tenant"),
    text_("kind"),
    text_("value"),
    uuid_("subject"),
    time_("since"),
    time_("until", null=True),
    CheckConstraint("kind IN ('id', 'login')"),
    Index("handles_live", "tenant", "kind", "value", unique=True, postgresql_where=text("until IS NULL")),
    Index("handles_subject", "subject"),
    Index("handles_past", "tenant", "kind", "value", postgresql_where=text("until IS NOT NULL")),
)

identities = Table(
    "identities",
    metadata,
    uuid_("subject", key=True),
    text_("tenant"),
    uuid_("delivery"),
    Column("seq", BigInteger, nullable=False),
    text_("status", null=True),
    Column("version", BigInteger),
    text_("updated", null=True),
    text_("stage", default="present"),
    time_("left_at", null=True),
    time_("archived_at", null=True),
    Index("identities_tenant", "tenant"),
    Index("identities_left", "tenant", "left_at", postgresql_where=text("left_at IS NOT NULL")),
)

known_values = Table(
    "known_values",
    metadata,
    text_("tenant", key=True),
    text_("attribute", key=True),
    text_("value", key=True),
    uuid_("subject", key=True),
    time_("left_at", null=True),
    Index("known_values_subject", "subject"),
)

holds = Table(
    "holds",
    metadata,
    text_("tenant", key=True),
    text_("attribute", key=True),
    text_("value", key=True),
    uuid_("subject"),
    text_("login"),
    uuid_("delivery"),
    time_("expires_at"),
    Index("holds_subject", "subject"),
)

names = Table(
    "names",
    metadata,
    text_("tenant", key=True),
    text_("attribute", key=True),
    text_("person", key=True),
    text_("value"),
    text_("shown"),
    uuid_("subject"),
    uuid_("delivery"),
    time_("at"),
    Index("names_value", "tenant", "attribute", "value", unique=True),
)

name_counts = Table(
    "name_counts",
    metadata,
    text_("tenant", key=True),
    text_("attribute", key=True),
    text_("stem", key=True),
    Column("next", Integer, nullable=False),
)

lookups = Table(
    "lookups",
    metadata,
    text_("tenant", key=True),
    text_("name", key=True),
    text_("key", key=True),
    text_("value"),
)

recent = Table(
    "recent",
    metadata,
    uuid_("subject", key=True),
    text_("hook"),
    Column("hash", LargeBinary),
    time_("at"),
    prefixes=["UNLOGGED"],
)

rings = Table("rings", metadata, uuid_("subject", key=True), time_("rung_at"), prefixes=["UNLOGGED"])
