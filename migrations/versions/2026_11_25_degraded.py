"""Answers given without the store are found without reading a tenant's whole ledger."""

from alembic import op
from sqlalchemy import text

revision = "2026_11_25_degraded"
down_revision = "2026_11_25_gaps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "entries_degraded",
        "entries",
        ["tenant", "at"],
        postgresql_where=text(
            "outcome IN ('passed unchecked', 'turned away', 'answered unchecked', 'undecided', 'not kept')"
        ),
    )


def downgrade() -> None:
    op.drop_index("entries_degraded", "entries")
