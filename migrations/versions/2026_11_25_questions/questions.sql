-- Since when an entitlement is ending: the leaver's clock. Kept when it has ended.
ALTER TABLE entitlements ADD COLUMN ending_since timestamptz;
CREATE INDEX entitlements_subject ON entitlements (subject, application, role);

-- "Who had X on D" is a search among intervals, which no order of since or until answers at any size. The interval is
-- laid on one line with all others, at a place of its own for each tenant and application: 28 bits of their hash, then
-- 35 bits of seconds since 2000. What shares a place by chance is told apart by the query's other conditions.
CREATE FUNCTION held_place(p_tenant text, p_application text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(p_tenant || chr(31) || p_application, 0) & 268435455) << 35;
CREATE FUNCTION held_second(p_at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(greatest(floor(extract(epoch FROM coalesce(p_at, 'infinity'))) - 946684800, 0), 34359738367)::bigint;
CREATE FUNCTION held(p_tenant text, p_application text, p_since timestamptz, p_until timestamptz) RETURNS int8range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int8range(held_place(p_tenant, p_application) + held_second(p_since),
                 held_place(p_tenant, p_application) + greatest(held_second(p_since), held_second(p_until)), '[]');
CREATE INDEX entitlements_held ON entitlements USING gist (held(tenant, application, since, until));

-- Small beside what they point at: rows come in the order of time, and only few are deeds, readings or failures.
CREATE INDEX deliveries_time ON deliveries USING brin (received_at) WITH (autosummarize = on, pages_per_range = 32);
CREATE INDEX entries_ours ON entries (tenant, at, id) WHERE hook IN ('operator', 'access');
CREATE INDEX work_failed ON work (tenant, due) WHERE state = 'held' OR outcome IN ('failed', 'refused', 'secret_gone');
CREATE INDEX identities_left ON identities (tenant, left_at) WHERE left_at IS NOT NULL;
CREATE INDEX handles_past ON handles (tenant, kind, value) WHERE until IS NOT NULL;
