-- Sessions of the console. `key`: that they signed in with; what it may is looked up each time, so that a session ends
-- with its key. `grants`: [[role, tenant], …] of a user of the identity provider. Unlogged: no session needs to outlive a
-- crash, and neither replicas nor backups need to know who was signed in.
CREATE UNLOGGED TABLE sessions (
    hash bytea PRIMARY KEY,
    actor text NOT NULL,
    key text,
    grants jsonb NOT NULL DEFAULT '[]',
    made_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX sessions_end ON sessions (ends_at);

GRANT SELECT, INSERT, DELETE, UPDATE (seen_at) ON sessions TO hookledger_app;
