-- What the answer set in the user as it was sent: JSON of attribute to value. Erasable with the body.
ALTER TABLE bodies ADD COLUMN patch text;

-- Names that a naming rule gave, kept for good: the same person gets the same one again. `person` is who keeps it,
-- a subject or what the rule says; `value` is its normal form, `shown` what was answered.
CREATE TABLE names (
    tenant text NOT NULL,
    attribute text NOT NULL,
    person text NOT NULL,
    value text NOT NULL,
    shown text NOT NULL,
    subject uuid NOT NULL,
    delivery uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant, attribute, person)
);
CREATE UNIQUE INDEX names_value ON names (tenant, attribute, value);

-- From which count on a stem is tried: a thousandth namesake costs as many tries as the second.
CREATE TABLE name_counts (
    tenant text NOT NULL,
    attribute text NOT NULL,
    stem text NOT NULL,
    next integer NOT NULL,
    PRIMARY KEY (tenant, attribute, stem)
) WITH (fillfactor = 70);

-- The text behind every rules_hash that ever decided.
CREATE TABLE rule_texts (
    tenant text NOT NULL,
    hash text NOT NULL,
    text text NOT NULL,
    first_seen timestamptz NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_texts
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Tables for lookup() that live in the store.
CREATE TABLE lookups (
    tenant text NOT NULL,
    name text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (tenant, name, key)
);

GRANT SELECT, INSERT ON names, name_counts, rule_texts, lookups TO hookledger_app;
GRANT UPDATE, DELETE ON names, name_counts, lookups TO hookledger_app;
GRANT SELECT ON names, name_counts, rule_texts, lookups TO hookledger_keeper;
GRANT UPDATE, DELETE ON names TO hookledger_keeper;

DROP FUNCTION receive;
