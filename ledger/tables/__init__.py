"""The tables as SQLAlchemy sees them; `alembic check` in the tests holds them against the migrations."""

from ledger.tables.access import deed_requests, found_in_temporal, keys, sessions
from ledger.tables.columns import metadata
from ledger.tables.erasure import erasures, erasures_due, legal_holds
from ledger.tables.evidence import checkpoints, entitlements, entries, leaves, unsealed
from ledger.tables.imports import import_findings, imports
from ledger.tables.people import (
    handles,
    holds,
    identities,
    known_values,
    lookups,
    name_counts,
    names,
    recent,
    rings,
    subjects,
)
from ledger.tables.work import (
    activity_names,
    bodies,
    brakes,
    deliveries,
    faults,
    gaps,
    refusals,
    releases,
    rule_texts,
    vault,
    watched,
    work,
)

__all__ = (
    "activity_names",
    "bodies",
    "brakes",
    "checkpoints",
    "deed_requests",
    "deliveries",
    "entitlements",
    "entries",
    "erasures",
    "erasures_due",
    "faults",
    "found_in_temporal",
    "gaps",
    "handles",
    "holds",
    "identities",
    "import_findings",
    "imports",
    "keys",
    "known_values",
    "leaves",
    "legal_holds",
    "lookups",
    "metadata",
    "name_counts",
    "names",
    "recent",
    "refusals",
    "releases",
    "rings",
    "rule_texts",
    "sessions",
    "subjects",
    "unsealed",
    "vault",
    "watched",
    "work",
)
