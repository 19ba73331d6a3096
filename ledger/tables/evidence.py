"""What happened, who has which role since when, and the tree over the entries."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.columns import metadata, text_, time_, uuid_

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=text("next_entry()")),
    time_("at"),
    text_("tenant"),
    uuid_("subject", null=True),
    uuid_("delivery"),
    Column("seq", BigInteger),
    text_("hook"),
    text_("application", null=True),
    text_("activity", null=True),
    text_("outcome"),
    Column("attempt", Integer),
    text_("actor"),
    text_("acting_for", null=True),
    text_("code_version"),
    text_("rules_hash"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'")),
    Column("commitment", LargeBinary),
    Index("entries_subject", "subject", "id"),
    Index("entries_time", "tenant", "at"),
    Index(
        "entries_degraded",
        "tenant",
        "at",
        postgresql_where=text(
            "outcome IN ('passed unchecked', 'turned away', 'answered unchecked', 'undecided', 'not kept')"
        ),
    ),
    Index("entries_ours", "tenant", "at", "id", postgresql_where=text("hook IN ('operator', 'access')")),
    postgresql_partition_by="RANGE (id)",
)

entitlements = Table(
    "entitlements",
    metadata,
    text_("tenant"),
    uuid_("subject"),
    text_("application"),
    text_("role"),
    text_("state"),
    text_("uid", null=True),
    time_("since"),
    time_("until", null=True),
    uuid_("opened_by"),
    uuid_("closed_by", null=True),
    time_("ending_since", null=True),
    CheckConstraint("state IN ('granted', 'ending', 'ended confirmed', 'ended inferred', 'unknown')"),
    Index(
        "entitlements_open",
        "subject",
        "application",
        "role",
        unique=True,
        postgresql_where=text("until IS NULL"),
    ),
    Index("entitlements_application", "tenant", "application", "since"),
    Index("entitlements_subject", "subject", "application", "role"),
    Index("entitlements_held", text("held(tenant, application, since, until)"), postgresql_using="gist"),
)

unsealed = Table("unsealed", metadata, Column("entry", BigInteger, nullable=False))

leaves = Table(
    "leaves",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False),
    Column("leaf_version", SmallInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Index("leaves_entry", "entry", unique=True),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    text_("origin"),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    text_("note"),
    Column("drained", Boolean, nullable=False),
    time_("at"),
    Index("checkpoints_size", "size"),
)
