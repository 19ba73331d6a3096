-- Foreign keys are left out of the tables that only receive() and bind write: each would cost the answer
-- path a look-up for a row that the same transaction has just locked or made.

-- One row per person. receive() locks it; `seq` numbers the person's deliveries and is their order.
CREATE TABLE subjects (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    workflow_id text NOT NULL UNIQUE,
    seq bigint NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    rehire_of uuid,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- How the platform names a person: its own id, and the login in normal form. `until` closes a name.
CREATE TABLE handles (
    tenant text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('id', 'login')),
    value text NOT NULL,
    subject uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz
);
CREATE UNIQUE INDEX handles_live ON handles (tenant, kind, value) WHERE until IS NULL;
CREATE INDEX handles_subject ON handles (subject);

CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    subject uuid,
    seq bigint,
    hook text NOT NULL,
    application text,
    actor text NOT NULL,
    acting_for text,
    source_id text,
    verdict text NOT NULL,
    codes text[] NOT NULL DEFAULT '{}',
    rules_hash text NOT NULL,
    before uuid,
    commitment bytea NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX deliveries_order ON deliveries (subject, seq) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX deliveries_source ON deliveries (tenant, source_id) WHERE source_id IS NOT NULL;
CREATE INDEX deliveries_removals ON deliveries (tenant, received_at) WHERE verdict = 'deprovision';

-- What a delivery said, without its secrets. Erasable; the commitment in `deliveries` stays.
CREATE TABLE bodies (
    delivery uuid PRIMARY KEY,
    salt bytea NOT NULL,
    body text NOT NULL
);

-- What a delivery causes: the truth that Temporal runs. `settled_at` is set once, with the outcome.
CREATE TABLE work (
    delivery uuid NOT NULL,
    activity text NOT NULL,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    seq bigint NOT NULL,
    hook text NOT NULL,
    application text,
    lane text NOT NULL,
    plan jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'planned', 'running', 'held', 'settled')),
    outcome text,
    due timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    claimed_at timestamptz,
    lease_until timestamptz,
    give_up_at timestamptz,
    settled_at timestamptz,
    PRIMARY KEY (delivery, activity)
) WITH (fillfactor = 80);
CREATE INDEX work_open ON work (subject, seq) WHERE settled_at IS NULL;
CREATE INDEX work_due ON work (due) WHERE settled_at IS NULL;
CREATE INDEX work_unconfirmed ON work (subject) WHERE state = 'waiting' OR outcome = 'unconfirmed';

-- The last thing an attempt said when it went wrong. Erasable, so never in `entries` or in Temporal.
CREATE TABLE faults (
    delivery uuid NOT NULL,
    activity text NOT NULL,
    attempt integer NOT NULL,
    at timestamptz NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (delivery, activity)
);

CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    tenant text NOT NULL,
    subject uuid,
    delivery uuid NOT NULL,
    seq bigint,
    hook text NOT NULL,
    application text,
    activity text,
    outcome text NOT NULL,
    attempt integer,
    actor text NOT NULL,
    acting_for text,
    code_version text NOT NULL,
    rules_hash text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    commitment bytea
);
CREATE INDEX entries_subject ON entries (subject, id);
CREATE INDEX entries_time ON entries (tenant, at);

-- The last known state of a person, from facts only. The user's attributes are the body of `delivery`.
CREATE TABLE identities (
    subject uuid PRIMARY KEY,
    tenant text NOT NULL,
    delivery uuid NOT NULL,
    seq bigint NOT NULL,
    status text,
    version bigint,
    updated text,
    stage text NOT NULL DEFAULT 'present',
    left_at timestamptz,
    archived_at timestamptz
);
CREATE INDEX identities_tenant ON identities (tenant);

-- Normal forms of the unique attributes of known, unarchived people. Facts may clash, so nothing here is unique.
-- `left_at` repeats the person's, so that the check is one look-up by key and no join that could be planned badly.
CREATE TABLE known_values (
    tenant text NOT NULL,
    attribute text NOT NULL,
    value text NOT NULL,
    subject uuid NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (tenant, attribute, value, subject)
);
CREATE INDEX known_values_subject ON known_values (subject);

CREATE TABLE holds (
    tenant text NOT NULL,
    attribute text NOT NULL,
    value text NOT NULL,
    subject uuid NOT NULL,
    login text NOT NULL,
    delivery uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, attribute, value)
) WITH (fillfactor = 70);
CREATE INDEX holds_subject ON holds (subject);

-- Who had which application and role, from when to when. Role '' is the application itself.
CREATE TABLE entitlements (
    tenant text NOT NULL,
    subject uuid NOT NULL,
    application text NOT NULL,
    role text NOT NULL,
    state text NOT NULL CHECK (state IN ('granted', 'ending', 'ended confirmed', 'ended inferred', 'unknown')),
    uid text,
    since timestamptz NOT NULL,
    until timestamptz,
    opened_by uuid NOT NULL,
    closed_by uuid
);
CREATE UNIQUE INDEX entitlements_open ON entitlements (subject, application, role) WHERE until IS NULL;
CREATE INDEX entitlements_application ON entitlements (tenant, application, since);

-- Sealed secrets, only for planned work that declared it needs one, until `expires_at`.
CREATE TABLE vault (
    delivery uuid PRIMARY KEY,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX vault_expiry ON vault (expires_at);

CREATE TABLE brakes (
    tenant text PRIMARY KEY,
    stopped_at timestamptz,
    released_at timestamptz
);

-- The last calls turned away at the door, a bounded ring per tenant as claimed: not evidence, a help for operators.
CREATE TABLE refusals (
    tenant text NOT NULL,
    slot integer NOT NULL,
    at timestamptz NOT NULL,
    hook text NOT NULL,
    status integer NOT NULL,
    reason text NOT NULL,
    words text NOT NULL,
    receipt uuid NOT NULL,
    PRIMARY KEY (tenant, slot)
);

-- Keyed hash of each person's last delivery, for suspected duplicates. Unlogged: it may tell of a body that
-- held a secret, so it stays out of the WAL, and the sweep empties it.
CREATE UNLOGGED TABLE recent (
    subject uuid PRIMARY KEY,
    hook text NOT NULL,
    hash bytea,
    at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- When a person's workflow was last rung. Unlogged: losing it costs one needless ring.
CREATE UNLOGGED TABLE rings (
    subject uuid PRIMARY KEY,
    rung_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Which release last had which activity: how a worker tells a retired name from one that a newer release brings.
CREATE TABLE releases (
    version text PRIMARY KEY,
    first_seen timestamptz NOT NULL
);
CREATE TABLE activity_names (
    name text PRIMARY KEY,
    version text NOT NULL
);
