-- One cause that fails for many people is one incident. While it is open its activity is held in its tenant, but for one
-- person at a time, the probe. `healed_at`: a probe went well; what is held is let go by the next sweep.
CREATE TABLE incidents (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    activity text NOT NULL,
    cause text NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    probe uuid,
    probed_at timestamptz,
    healed_at timestamptz,
    closed_at timestamptz,
    released integer
);
CREATE UNIQUE INDEX incidents_open ON incidents (tenant, activity) WHERE closed_at IS NULL;
CREATE INDEX incidents_closed ON incidents (tenant, activity, closed_at);

-- Why an attempt failed, in words that name nobody: NULL where an earlier release wrote it.
ALTER TABLE faults ADD COLUMN cause text;
CREATE INDEX faults_cause ON faults (activity, cause, at) WHERE cause IS NOT NULL;

-- The mode that counts for an activity of a tenant: the most specific switch, else `broken` while an incident is open;
-- NULL if it simply runs.
CREATE OR REPLACE FUNCTION switch_of(of_tenant text, of_activity text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT s.mode FROM switches s
          WHERE s.tenant IN (of_tenant, '*') AND s.activity IN (of_activity, '*')
            AND (s.until IS NULL OR s.until > statement_timestamp())
          ORDER BY s.activity = '*', s.tenant = '*' LIMIT 1),
        (SELECT 'broken' FROM incidents i
          WHERE i.tenant = of_tenant AND i.activity = of_activity AND i.closed_at IS NULL))
$$;

-- Whether a person's work of an activity is held: by a switch, or by a breaker whose probe is somebody else.
CREATE FUNCTION is_kept_back(of_tenant text, of_activity text, of_subject uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE switch_of(of_tenant, of_activity)
        WHEN 'off' THEN true
        WHEN 'broken' THEN NOT EXISTS (SELECT 1 FROM incidents i WHERE i.tenant = of_tenant AND i.activity = of_activity
                                          AND i.closed_at IS NULL AND i.probe = of_subject)
        ELSE false END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON incidents TO hookledger_app;
GRANT SELECT ON incidents TO hookledger_keeper;
