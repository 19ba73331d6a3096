"""The tables as SQLAlchemy sees them; `alembic check` in the tests holds them against the migrations."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _uuid(name: str, *, key: bool = False, null: bool = False) -> Column[object]:
    return Column(name, Uuid, primary_key=key, nullable=null and not key)


def _text(name: str, *, key: bool = False, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null and not key, server_default=default)


def _time(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null)


subjects = Table(
    "subjects",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    Column("workflow_id", Text, nullable=False, unique=True),
    Column("seq", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    _uuid("rehire_of", null=True),
    _time("created_at"),
    Index("subjects_rehires", "rehire_of", postgresql_where=text("rehire_of IS NOT NULL")),
)

handles = Table(
    "handles",
    metadata,
    _text("tenant"),
    _text("kind"),
    _text("value"),
    _uuid("subject"),
    _time("since"),
    _time("until", null=True),
    CheckConstraint("kind IN ('id', 'login')"),
    Index("handles_live", "tenant", "kind", "value", unique=True, postgresql_where=text("until IS NULL")),
    Index("handles_subject", "subject"),
    Index("handles_past", "tenant", "kind", "value", postgresql_where=text("until IS NOT NULL")),
)

deliveries = Table(
    "deliveries",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _uuid("subject", null=True),
    Column("seq", BigInteger),
    _text("hook"),
    _text("application", null=True),
    _text("actor"),
    _text("acting_for", null=True),
    _text("source_id", null=True),
    _text("verdict"),
    Column("codes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _text("rules_hash"),
    _uuid("before", null=True),
    Column("commitment", LargeBinary, nullable=False),
    _time("received_at"),
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
    _uuid("delivery", key=True),
    Column("salt", LargeBinary, nullable=False),
    _text("body"),
    _text("patch", null=True),
    postgresql_partition_by="RANGE (delivery)",
)

work = Table(
    "work",
    metadata,
    _uuid("delivery", key=True),
    _text("activity", key=True),
    _text("tenant"),
    _uuid("subject"),
    Column("seq", BigInteger, nullable=False),
    _text("hook"),
    _text("application", null=True),
    _text("lane"),
    Column("plan", JSONB, nullable=False),
    _text("state"),
    _text("outcome", null=True),
    _time("due"),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    _time("claimed_at", null=True),
    _time("lease_until", null=True),
    _time("give_up_at", null=True),
    _time("settled_at", null=True),
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
    _uuid("delivery", key=True),
    _text("activity", key=True),
    Column("attempt", Integer, nullable=False),
    _time("at"),
    _text("text"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=text("next_entry()")),
    _time("at"),
    _text("tenant"),
    _uuid("subject", null=True),
    _uuid("delivery"),
    Column("seq", BigInteger),
    _text("hook"),
    _text("application", null=True),
    _text("activity", null=True),
    _text("outcome"),
    Column("attempt", Integer),
    _text("actor"),
    _text("acting_for", null=True),
    _text("code_version"),
    _text("rules_hash"),
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

identities = Table(
    "identities",
    metadata,
    _uuid("subject", key=True),
    _text("tenant"),
    _uuid("delivery"),
    Column("seq", BigInteger, nullable=False),
    _text("status", null=True),
    Column("version", BigInteger),
    _text("updated", null=True),
    _text("stage", default="present"),
    _time("left_at", null=True),
    _time("archived_at", null=True),
    Index("identities_tenant", "tenant"),
    Index("identities_left", "tenant", "left_at", postgresql_where=text("left_at IS NOT NULL")),
)

known_values = Table(
    "known_values",
    metadata,
    _text("tenant", key=True),
    _text("attribute", key=True),
    _text("value", key=True),
    _uuid("subject", key=True),
    _time("left_at", null=True),
    Index("known_values_subject", "subject"),
)

holds = Table(
    "holds",
    metadata,
    _text("tenant", key=True),
    _text("attribute", key=True),
    _text("value", key=True),
    _uuid("subject"),
    _text("login"),
    _uuid("delivery"),
    _time("expires_at"),
    Index("holds_subject", "subject"),
)

gaps = Table(
    "gaps",
    metadata,
    _uuid("delivery", key=True),
    _text("tenant"),
    _uuid("subject"),
    Column("seq", BigInteger, nullable=False),
    _text("hook"),
    _text("application", null=True),
    Column("expected", ARRAY(Text), nullable=False),
    _time("since"),
    _time("found_at"),
    _text("closed_as", null=True),
    _uuid("closed_by", null=True),
    _time("closed_at", null=True),
    CheckConstraint("closed_as IN ('confirmed late', 'taken up', 'no longer expected')"),
    Index("gaps_open", "subject", postgresql_where=text("closed_at IS NULL")),
    Index("gaps_time", "tenant", "since"),
    Index("gaps_count", "tenant", postgresql_where=text("closed_at IS NULL")),
)

watched = Table("watched", metadata, _text("tenant", key=True), _text("hook", key=True), _time("until"))

entitlements = Table(
    "entitlements",
    metadata,
    _text("tenant"),
    _uuid("subject"),
    _text("application"),
    _text("role"),
    _text("state"),
    _text("uid", null=True),
    _time("since"),
    _time("until", null=True),
    _uuid("opened_by"),
    _uuid("closed_by", null=True),
    _time("ending_since", null=True),
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

vault = Table(
    "vault",
    metadata,
    _uuid("delivery", key=True),
    Column("sealed", LargeBinary, nullable=False),
    _time("expires_at"),
    Index("vault_expiry", "expires_at"),
)

brakes = Table(
    "brakes",
    metadata,
    _text("tenant", key=True),
    _time("stopped_at", null=True),
    _time("released_at", null=True),
)

refusals = Table(
    "refusals",
    metadata,
    _text("tenant", key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    _time("at"),
    _text("hook"),
    Column("status", Integer, nullable=False),
    _text("reason"),
    _text("words"),
    _uuid("receipt"),
)

recent = Table(
    "recent",
    metadata,
    _uuid("subject", key=True),
    _text("hook"),
    Column("hash", LargeBinary),
    _time("at"),
    prefixes=["UNLOGGED"],
)

rings = Table("rings", metadata, _uuid("subject", key=True), _time("rung_at"), prefixes=["UNLOGGED"])

releases = Table("releases", metadata, _text("version", key=True), _time("first_seen"))

activity_names = Table("activity_names", metadata, _text("name", key=True), _text("version"))

names = Table(
    "names",
    metadata,
    _text("tenant", key=True),
    _text("attribute", key=True),
    _text("person", key=True),
    _text("value"),
    _text("shown"),
    _uuid("subject"),
    _uuid("delivery"),
    _time("at"),
    Index("names_value", "tenant", "attribute", "value", unique=True),
)

name_counts = Table(
    "name_counts",
    metadata,
    _text("tenant", key=True),
    _text("attribute", key=True),
    _text("stem", key=True),
    Column("next", Integer, nullable=False),
)

rule_texts = Table(
    "rule_texts",
    metadata,
    _text("tenant", key=True),
    _text("hash", key=True),
    _text("text"),
    _time("first_seen"),
)

lookups = Table(
    "lookups",
    metadata,
    _text("tenant", key=True),
    _text("name", key=True),
    _text("key", key=True),
    _text("value"),
)

imports = Table(
    "imports",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _text("file_hash"),
    _text("mapping_hash"),
    _text("actor"),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in ("line", "created", "updated", "unchanged", "older", "left_out")
    ),
    _time("started_at"),
    _time("finished_at", null=True),
    Index(
        "imports_open",
        "tenant",
        "file_hash",
        "mapping_hash",
        unique=True,
        postgresql_where=text("finished_at IS NULL"),
    ),
)

import_findings = Table(
    "import_findings",
    metadata,
    _uuid("import"),
    Column("line", BigInteger, nullable=False),
    _text("kind"),
    _text("attribute"),
    _text("other"),
    Index("import_findings_import", "import", "line"),
)

keys = Table(
    "keys",
    metadata,
    _text("id", key=True),
    Column("hash", LargeBinary, nullable=False),
    _text("role"),
    _text("tenant", null=True),
    _text("label"),
    _text("made_by"),
    _time("made_at"),
    _time("expires_at"),
    _time("revoked_at", null=True),
    _text("revoked_by", null=True),
    _time("last_used_at", null=True),
    CheckConstraint("role IN ('auditor', 'operator', 'admin')"),
)

deed_requests = Table(
    "deed_requests",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _text("deed"),
    Column("parameters", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("counted", BigInteger, nullable=False),
    _text("maker"),
    _time("made_at"),
    _time("expires_at"),
    _text("closed_as", null=True),
    _text("checker", null=True),
    _time("closed_at", null=True),
    CheckConstraint("closed_as IN ('approved', 'rejected')"),
    Index("deed_requests_open", "tenant", "made_at", postgresql_where=text("closed_at IS NULL")),
)

found_in_temporal = Table("found_in_temporal", metadata, _uuid("key", key=True), _time("found_at"))

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
    _text("origin"),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    _text("note"),
    Column("drained", Boolean, nullable=False),
    _time("at"),
    Index("checkpoints_size", "size"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    _text("actor"),
    _text("key", null=True),
    Column("grants", JSONB, nullable=False, server_default=text("'[]'")),
    _time("made_at"),
    _time("seen_at"),
    _time("ends_at"),
    Index("sessions_end", "ends_at"),
    prefixes=["UNLOGGED"],
)

legal_holds = Table(
    "legal_holds",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _uuid("subject"),
    _text("placed_by"),
    _time("since"),
    _text("released_by", null=True),
    _time("released_at", null=True),
    Index("legal_holds_open", "subject", postgresql_where=text("released_at IS NULL")),
)
erasures = Table(
    "erasures",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _uuid("subject"),
    Column("number", BigInteger),
    Column("hash", LargeBinary),
    _text("certificate"),
    _time("at"),
    _time("replayed_at", null=True),
    Index("erasures_number", "number", unique=True, postgresql_where=text("number IS NOT NULL")),
    Index("erasures_subject", "subject"),
)
erasures_due = Table(
    "erasures_due",
    metadata,
    _uuid("id", key=True),
    _text("tenant"),
    _uuid("subject"),
    _time("due"),
    _text("actor"),
    _text("code"),
    Column("names", ARRAY(Text), nullable=False),
    Column("skip_work", Boolean, nullable=False),
    Column("anyway", Boolean, nullable=False),
    _time("asked_at"),
    _time("ended_at", null=True),
    _text("ended_as", null=True),
    CheckConstraint("ended_as IN ('erased', 'withdrawn')"),
    Index("erasures_due_open", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("erasures_due_time", "due", postgresql_where=text("ended_at IS NULL")),
)
