-- What operators hold, drop or only rehearse. '*' stands for every tenant, or every activity.
-- A switch whose `until` has passed counts no more; who set it and why is in the entries.
CREATE TABLE switches (
    tenant text NOT NULL,
    activity text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('off', 'drop', 'shadow')),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (tenant, activity)
);

-- The mode that counts for an activity of a tenant: the most specific one; NULL if it simply runs.
CREATE FUNCTION switch_of(of_tenant text, of_activity text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT s.mode FROM switches s
     WHERE s.tenant IN (of_tenant, '*') AND s.activity IN (of_activity, '*')
       AND (s.until IS NULL OR s.until > statement_timestamp())
     ORDER BY s.activity = '*', s.tenant = '*' LIMIT 1
$$;

-- When what a switch held may go again: until then, later work of the lane stays behind it.
ALTER TABLE work ADD COLUMN let_go timestamptz;

GRANT SELECT, INSERT, UPDATE, DELETE ON switches TO hookledger_app;
GRANT SELECT ON switches TO hookledger_keeper;
