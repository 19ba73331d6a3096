"""Deliveries, bodies and entries lie in months; the functions that make a month, and drop one that is over age."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_partitions"
down_revision = "2026_11_25_erasure"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_partitions")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    for part in ("months", "tables", "retention"):
        connection.run_async(methodcaller("execute", (_SQL / f"{part}.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
