-- One row per intention that nothing followed in its hook's window: the last of its chain. Never opened twice.
CREATE TABLE gaps (
    delivery uuid PRIMARY KEY,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    seq bigint NOT NULL,
    hook text NOT NULL,
    application text,
    expected text[] NOT NULL,
    since timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    closed_as text CHECK (closed_as IN ('confirmed late', 'taken up', 'no longer expected')),
    closed_by uuid,
    closed_at timestamptz
);
CREATE INDEX gaps_open ON gaps (subject) WHERE closed_at IS NULL;
CREATE INDEX gaps_time ON gaps (tenant, since);
CREATE INDEX gaps_count ON gaps (tenant) WHERE closed_at IS NULL;

-- Up to when the watch has looked: a time of the store's own clock, in `entries.at`. Hook '' is what closes gaps.
CREATE TABLE watched (
    tenant text NOT NULL,
    hook text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (tenant, hook)
);

-- A fact about somebody who came back is stored under a new subject, the intention before it under the old one.
CREATE INDEX subjects_rehires ON subjects (rehire_of) WHERE rehire_of IS NOT NULL;

GRANT SELECT ON gaps, watched TO hookledger_app, hookledger_keeper;
GRANT INSERT, UPDATE ON gaps, watched TO hookledger_app;
