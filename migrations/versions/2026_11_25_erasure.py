"""Erasure: the keeper's rights, legal holds, what was erased and what is to be."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_erasure"
down_revision = "2026_11_25_sessions"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_erasure")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", (_SQL / "erasure.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
