"""People taken over from a file."""

from sqlalchemy import BigInteger, Column, Index, Table, text

from ledger.tables.columns import metadata, text_, time_, uuid_

imports = Table(
    "imports",
    metadata,
    uuid_("id", key=True),
    text_("tenant"),
    text_("file_hash"),
    text_("mapping_hash"),
    text_("actor"),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in ("line", "created", "updated", "unchanged", "older", "left_out")
    ),
    time_("started_at"),
    time_("finished_at", null=True),
    Index(
        "imports_open",
        "tenant",
        "file_hash",
        "mapping_hash",
        unique=True,
        postgresql_where=text("finished_at IS NULL"),
    ),
)

import_findings = Table(
    "import_findings",
    metadata,
    uuid_("import"),
    Column("line", BigInteger, nullable=False),
    text_("kind"),
    text_("attribute"),
    text_("other"),
    Index("import_findings_import", "import", "line"),
)
