"""Requests that wait for another person, and what was found to have been done in Temporal itself."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_deeds"
down_revision = "2026_11_25_partitions"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_deeds")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", (_SQL / "deeds.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
