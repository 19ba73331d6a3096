-- One row per import of a file: how far it has come, in the same transaction as the people of each chunk.
-- A killed import goes on behind `line`; the file is known by its hash, the reading of it by the mapping's.
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    file_hash text NOT NULL,
    mapping_hash text NOT NULL,
    actor text NOT NULL,
    line bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    older bigint NOT NULL DEFAULT 0,
    left_out bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE UNIQUE INDEX imports_open ON imports (tenant, file_hash, mapping_hash) WHERE finished_at IS NULL;

-- What was wrong with a line. Names a line of the file and an attribute, never a value.
CREATE TABLE import_findings (
    import uuid NOT NULL,
    line bigint NOT NULL,
    kind text NOT NULL,
    attribute text NOT NULL,
    other text NOT NULL
);
CREATE INDEX import_findings_import ON import_findings (import, line);

GRANT SELECT, INSERT, UPDATE ON imports TO hookledger_app;
GRANT SELECT, INSERT ON import_findings TO hookledger_app;
GRANT SELECT, DELETE ON imports, import_findings TO hookledger_keeper;
