"""The spine: subjects, deliveries, work, entries, identities, holds, entitlements, and receive()."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_spine"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_spine")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    for part in ("tables", "append_only", "receive", "grants"):
        sql = (_SQL / f"{part}.sql").read_text()
        connection.run_async(methodcaller("execute", sql))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
