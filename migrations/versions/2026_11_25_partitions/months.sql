-- A month is a range of ids. Months are those of UTC, whatever the session's time zone is.

-- The smallest uuid v7 of the month's first millisecond (RFC 9562, section 5.7): what has one lies in the month it was made in.
CREATE FUNCTION first_uuid(p_month date) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (lpad(to_hex((extract(epoch FROM p_month::timestamp) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;

-- Entries are numbered as they come, under their month: 2026110000004711 is the 4711th, of November 2026. Numbers order
-- by time, a person can read them, and they stay below 2^53, which is as far as readers of JSON count.
CREATE FUNCTION first_entry(p_month date) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (extract(year FROM p_month)::bigint * 100 + extract(month FROM p_month)::bigint) * 10000000000;

CREATE SEQUENCE entry_numbers AS bigint MAXVALUE 9999999999 CYCLE;

-- The clock is read once, so that a year and its month belong together. Inlined where it is a default: it must stay one
-- expression, and SECURITY INVOKER.
CREATE FUNCTION next_entry() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMM')::bigint * 10000000000 + nextval('entry_numbers');

-- The month that a bound begins, as Postgres writes the bound.
CREATE FUNCTION month_of(p_bound text) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN p_bound LIKE '%-%' THEN
        (to_timestamp(('x' || lpad(left(replace(p_bound, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) AT TIME ZONE 'UTC')::date
    WHEN p_bound ~ '^[0-9]{16}$' THEN to_date(left(p_bound, 6), 'YYYYMM')
END;

-- The months that there are, read from the partitions' own bounds. `first` is null for the one that begins with
-- everything before; both are null for what belongs to no month.
CREATE VIEW months AS
SELECT parent.relname::text AS store, child.relname::text AS part,
       CASE WHEN b.bound[1] <> 'MINVALUE' THEN m.of_low END AS first, m.of_high AS beyond,
       child.reltuples::bigint AS about
  FROM pg_inherits i
  JOIN pg_class parent ON parent.oid = i.inhparent AND parent.relkind = 'p'
  JOIN pg_class child ON child.oid = i.inhrelid
  LEFT JOIN LATERAL (
       SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid), '^FOR VALUES FROM \(''?([^'')]+)''?\) TO \(''?([^'')]+)''?\)$') AS bound
       ) AS b ON true
  LEFT JOIN LATERAL (
       SELECT month_of(b.bound[1]) AS of_low, month_of(b.bound[2]) AS of_high) AS m ON true
 WHERE parent.relnamespace = 'public'::regnamespace AND parent.relname IN ('deliveries', 'bodies', 'entries');
