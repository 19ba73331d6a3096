"""What was received, what is to be done about it, and how that goes."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.columns import metadata, text_, time_, uuid_

deliveries = Table(
    "deliveries",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    uuid_("subject", null=True),
    Column("seq", BigInteger),
    text_("hook"),
    text_("application", null=True),
    text_("actor"),
    text_("acting_for", null=True),
    text_("source_id", null=True),
    text_("verdict"),
    Column("codes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    text_("rules_hash"),
    uuid_("before", null=True),
    Column("commitment", LargeBinary, nullable=False),
    time_("received_at"),
    Index("deliveries_order", "subject", "seq", postgresql_where=text("subject IS NOT NULL")),
    Index("deliveries_source", "tenant", "source_id", postgresql_where=text("source_id IS NOT NULL")),
    Index(
        "deliveries_removals", "tenant", "received_at", postgresql_where=text("verdict = 'deprovision'::text")
    ),
    Index(
        "deliveries_time",
        "received_at",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    ),
    postgresql_partition_by="RANGE (id)",
)

bodies = Table(
    "bodies",
    metadata,
    uuid_("delivery", key=True),
    Column("salt", LargeBinary, nullable=False),
    text_("body"),
    text_("patch", null=True),
    postgresql_partition_by="RANGE (delivery)",
)

work = Table(
    "work",
    metadata,
    uuid_("delivery", key=True),
    text_("activity", key=True),
    text_("tenant"),
    uuid_("subject"),
    Column("seq", BigInteger, nullable=False),
    text_("hook"),
    text_("application", null=True),
    text_("lane"),
    Column("plan", JSONB, nullable=False),
    text_("state"),
    text_("outcome", null=True),
    time_("due"),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    time_("claimed_at", null=True),
    time_("lease_until", null=True),
    time_("give_up_at", null=True),
    time_("settled_at", null=True),
    time_("let_go", null=True),
    CheckConstraint("state IN ('waiting', 'planned', 'running', 'held', 'settled')"),
    Index("work_open", "subject", "seq", postgresql_where=text("settled_at IS NULL")),
    Index("work_due", "due", postgresql_where=text("settled_at IS NULL")),
    Index(
        "work_unconfirmed",
        "subject",
        postgresql_where=text("state = 'waiting'::text OR outcome = 'unconfirmed'::text"),
    ),
    Index(
        "work_failed",
        "tenant",
        "due",
        postgresql_where=text("state = 'held' OR outcome IN ('failed', 'refused', 'secret_gone')"),
    ),
)

faults = Table(
    "faults",
    metadata,
    uuid_("delivery", key=True),
    text_("activity", key=True),
    Column("attempt", Integer, nullable=False),
    time_("at"),
    text_("text"),
    text_("cause", null=True),
    Index("faults_cause", "activity", "cause", "at", postgresql_where=text("cause IS NOT NULL")),
)

vault = Table(
    "vault",
    metadata,
    uuid_("delivery", key=True),
    Column("sealed", LargeBinary, nullable=False),
    time_("expires_at"),
    Index("vault_expiry", "expires_at"),
)

brakes = Table(
    "brakes",
    metadata,
    text_("tenant", key=True),
    time_("stopped_at", null=True),
    time_("released_at", null=True),
)

gaps = Table(
    "gaps",
    metadata,
    uuid_("delivery", key=True),
    text_("tenant"),
    uuid_("subject"),
    Column("seq", BigInteger, nullable=False),
    text_("hook"),
    text_("application", null=True),
    Column("expected", ARRAY(Text), nullable=False),
    time_("since"),
    time_("found_at"),
    text_("closed_as", null=True),
    uuid_("closed_by", null=True),
    time_("closed_at", null=True),
    CheckConstraint("closed_as IN ('confirmed late', 'taken up', 'no longer expected')"),
    Index("gaps_open", "subject", postgresql_where=text("closed_at IS NULL")),
    Index("gaps_time", "tenant", "since"),
    Index("gaps_count", "tenant", postgresql_where=text("closed_at IS NULL")),
)

watched = Table("watched", metadata, text_("tenant", key=True), text_("hook", key=True), time_("until"))

refusals = Table(
    "refusals",
    metadata,
    text_("tenant", key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    time_("at"),
    text_("hook"),
    Column("status", Integer, nullable=False),
    text_("reason"),
    text_("words"),
    uuid_("receipt"),
)

releases = Table("releases", metadata, text_("version", key=True), time_("first_seen"))

activity_names = Table("activity_names", metadata, text_("name", key=True), text_("version"))

rule_texts = Table(
    "rule_texts",
    metadata,
    text_("tenant", key=True),
    text_("hash", key=True),
    text_("text"),
    time_("first_seen"),
)

switches = Table(
    "switches",
    metadata,
    text_("tenant", key=True),
    text_("activity", key=True),
    text_("mode"),
    text_("made_by"),
    time_("made_at"),
    time_("until", null=True),
    CheckConstraint("mode IN ('off', 'drop', 'shadow')"),
)

incidents = Table(
    "incidents",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    text_("activity"),
    text_("cause"),
    time_("first_seen"),
    time_("last_seen"),
    time_("opened_at"),
    uuid_("probe", null=True),
    time_("probed_at", null=True),
    time_("healed_at", null=True),
    time_("closed_at", null=True),
    Column("released", Integer),
    Index("incidents_open", "tenant", "activity", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("incidents_closed", "tenant", "activity", "closed_at"),
)

platform_calls = Table(
    "platform_calls",
    metadata,
    uuid_("delivery", key=True),
    text_("activity", key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    text_("tenant"),
    uuid_("subject"),
    Column("depth", Integer, nullable=False),
    time_("at"),
    Index("platform_calls_subject", "subject", "at"),
    Index("platform_calls_time", "at"),
)
