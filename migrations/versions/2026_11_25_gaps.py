"""Silent gaps: intentions that nothing followed, and how far the watch has looked."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_gaps"
down_revision = "2026_11_25_rules"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_gaps")


def upgrade() -> None:
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(methodcaller("execute", (_SQL / "tables.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
