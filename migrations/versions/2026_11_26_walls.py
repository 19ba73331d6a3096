"""Row-level security: the application sees the rows of those tenants that its transaction names."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_26_walls"
down_revision = "2026_11_26_incidents"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_26_walls")


def upgrade() -> None:
    # Whole files of several statements need the simple protocol, which SQLAlchemy's own execute does not use.
    connection: Any = op.get_bind().connection.dbapi_connection
    for name in ("walls.sql", "held_in.sql", "last_known.sql", "receive.sql"):
        connection.run_async(methodcaller("execute", (_SQL / name).read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
