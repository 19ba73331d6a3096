-- Whose records must stay, whatever else is asked. `id` is the receipt of the deed, whose body has the reason.
CREATE TABLE legal_holds (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    placed_by text NOT NULL,
    since timestamptz NOT NULL,
    released_by text,
    released_at timestamptz
);
CREATE INDEX legal_holds_open ON legal_holds (subject) WHERE released_at IS NULL;

-- Who was erased, by pseudonym, with the signed certificate. `number` and `hash` are the line's on the list outside the
-- store; no number: there was no list.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    number bigint,
    hash bytea,
    certificate text NOT NULL,
    at timestamptz NOT NULL,
    replayed_at timestamptz
);
CREATE UNIQUE INDEX erasures_number ON erasures (number) WHERE number IS NOT NULL;
CREATE INDEX erasures_subject ON erasures (subject);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Erasures that wait until they are allowed. `names` are the salted hashes for the certificate.
CREATE TABLE erasures_due (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    due timestamptz NOT NULL,
    actor text NOT NULL,
    code text NOT NULL,
    names text[] NOT NULL,
    skip_work boolean NOT NULL,
    anyway boolean NOT NULL,
    asked_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_as text CHECK (ended_as IN ('erased', 'withdrawn'))
);
CREATE UNIQUE INDEX erasures_due_open ON erasures_due (subject) WHERE ended_at IS NULL;
CREATE INDEX erasures_due_time ON erasures_due (due) WHERE ended_at IS NULL;

GRANT SELECT ON legal_holds, erasures, erasures_due TO hookledger_app, hookledger_keeper;
GRANT INSERT, UPDATE (released_by, released_at) ON legal_holds TO hookledger_app;
GRANT INSERT, UPDATE (due, ended_at, ended_as) ON erasures_due TO hookledger_app;
GRANT UPDATE (due, ended_at, ended_as) ON erasures_due TO hookledger_keeper;
GRANT INSERT ON erasures TO hookledger_keeper;

-- Beside what the keeper may delete already: an erasure is a deed, ends open work, and takes names out of what stays.
GRANT INSERT ON deliveries, bodies, entries, unsealed TO hookledger_keeper;
GRANT UPDATE (seq, workflow_id) ON subjects TO hookledger_keeper;
GRANT UPDATE (state, outcome, settled_at, lease_until) ON work TO hookledger_keeper;
GRANT UPDATE (uid) ON entitlements TO hookledger_keeper;
GRANT DELETE ON recent, rings, name_counts TO hookledger_keeper;
