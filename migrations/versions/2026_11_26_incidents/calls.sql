-- Calls that activities made to the platform about a person, for an hour: a hook that comes soon after was caused by them.
CREATE TABLE platform_calls (
    delivery uuid NOT NULL,
    activity text NOT NULL,
    attempt integer NOT NULL,
    tenant text NOT NULL,
    subject uuid NOT NULL,
    depth integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (delivery, activity, attempt)
);
CREATE INDEX platform_calls_subject ON platform_calls (subject, at);
CREATE INDEX platform_calls_time ON platform_calls (at);

GRANT SELECT, INSERT, DELETE ON platform_calls TO hookledger_app;
GRANT SELECT, DELETE ON platform_calls TO hookledger_keeper;
