-- Keys of the query API. `id` is the part of a key that may be seen; of the rest only a hash is kept.
-- No tenant: a key for all of them. What a key may never changes: another one is made instead.
CREATE TABLE keys (
    id text PRIMARY KEY,
    hash bytea NOT NULL,
    role text NOT NULL CHECK (role IN ('auditor', 'operator', 'admin')),
    tenant text,
    label text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz
);

GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by, last_used_at) ON keys TO hookledger_app;
GRANT SELECT ON keys TO hookledger_keeper;
