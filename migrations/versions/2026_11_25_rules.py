"""Rules that tenants write: names given, texts of every rules hash, lookup tables, the answer's patch; receive() for them."""

from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_25_rules"
down_revision = "2026_11_25_spine"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("2026_11_25_rules")


def upgrade() -> None:
    connection: Any = op.get_bind().connection.dbapi_connection
    for part in ("tables", "receive"):
        connection.run_async(methodcaller("execute", (_SQL / f"{part}.sql").read_text()))


def downgrade() -> None:
    msg = "the ledger is append-only: restore a backup instead of going back"
    raise NotImplementedError(msg)
