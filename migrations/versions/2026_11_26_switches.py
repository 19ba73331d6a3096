"""Switches: activities that operators hold, drop or only rehearse."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_26_switches"
down_revision = "2026_11_25_deeds"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_26_switches")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", (_SQL / "switches.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
