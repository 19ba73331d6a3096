-- Deeds that wait for a second person. `id` is the delivery that asked: its body has the reason, and can be erased.
-- `parameters` name work and ids, never a person; `counted` is what the dry run counted.
CREATE TABLE deed_requests (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    deed text NOT NULL,
    parameters jsonb NOT NULL,
    hash bytea NOT NULL,
    counted bigint NOT NULL,
    maker text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_as text CHECK (closed_as IN ('approved', 'rejected')),
    checker text,
    closed_at timestamptz
);
CREATE INDEX deed_requests_open ON deed_requests (tenant, made_at) WHERE closed_at IS NULL;

-- What was found in Temporal's histories, so that each deed is an entry once. `key` is of workflow, event and time.
CREATE TABLE found_in_temporal (
    key uuid PRIMARY KEY,
    found_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON deed_requests, found_in_temporal TO hookledger_app;
GRANT UPDATE (closed_as, checker, closed_at) ON deed_requests TO hookledger_app;
GRANT SELECT ON deed_requests, found_in_temporal TO hookledger_keeper;
