-- What is not sealed yet. A bare heap: an index would cost every entry, and only the sealer reads it, all of it.
CREATE TABLE unsealed (
    entry bigint NOT NULL
);

-- Leaf `number` of the tree is `entry`. `hashes`: 32 bytes for each perfect subtree that this leaf completes, upwards,
-- its own first; so a proof is a few look-ups by key, however large the tree.
CREATE TABLE leaves (
    number bigint PRIMARY KEY,
    entry bigint NOT NULL,
    leaf_version smallint NOT NULL,
    hashes bytea NOT NULL
);
CREATE UNIQUE INDEX leaves_entry ON leaves (entry);

-- Signed heads. `number` has no gaps. `drained`: nothing was left in `unsealed` that could be seen.
CREATE TABLE checkpoints (
    number bigint PRIMARY KEY,
    origin text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    drained boolean NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX checkpoints_size ON checkpoints (size);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leaves
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Whatever writes entries, COPY too, queues them in the same transaction.
CREATE FUNCTION queue_for_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unsealed (entry) SELECT id FROM written;
    RETURN NULL;
END
$$;
CREATE TRIGGER queue_for_sealing AFTER INSERT ON entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION queue_for_sealing();

-- The trigger above holds the table against writers until this commits, so nothing falls between.
INSERT INTO unsealed (entry) SELECT id FROM entries ORDER BY id;

GRANT SELECT, INSERT, DELETE ON unsealed TO hookledger_app;
GRANT SELECT, INSERT ON leaves, checkpoints TO hookledger_app;
GRANT SELECT ON unsealed, leaves, checkpoints TO hookledger_keeper;
