-- The tables as they are become the first month, with everything before it: nothing is copied, only looked through once.
-- What cannot be unique across months (a person's numbers, a sender's own ids) is kept so by receive()'s locks;
-- ./hookledger ledger verify tells of a number that was given twice.

-- Makes one month of one table, with what the parent does not give it: its own second wall. Rows that came while the month
-- lacked move in from the rest. Nobody has rights on it but through the parent.
CREATE FUNCTION make_month(p_store text, p_month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_part text := p_store || to_char(p_month, '_YYYY_MM');
    v_rest text := p_store || '_rest';
    v_key text := CASE p_store WHEN 'bodies' THEN 'delivery' ELSE 'id' END;
    v_begin text := CASE p_store WHEN 'entries' THEN first_entry(p_month)::text ELSE first_uuid(p_month)::text END;
    v_beyond date := p_month + interval '1 month';
    v_end text := CASE p_store WHEN 'entries' THEN first_entry(v_beyond)::text ELSE first_uuid(v_beyond)::text END;
    v_walls boolean := p_store IN ('deliveries', 'entries');
BEGIN
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', v_part, p_store);
    -- Attaching looks through the rest, and locks it for that.
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', v_rest);
    IF v_walls THEN EXECUTE format('ALTER TABLE public.%I DISABLE TRIGGER append_only', v_rest); END IF;
    EXECUTE format('WITH moved AS (DELETE FROM public.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO public.%I SELECT * FROM moved',
                   v_rest, v_key, v_begin, v_key, v_end, v_part);
    IF v_walls THEN EXECUTE format('ALTER TABLE public.%I ENABLE TRIGGER append_only', v_rest); END IF;
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', p_store, v_part, v_begin, v_end);
    IF v_walls THEN
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION public.append_only()', v_part);
    END IF;
END
$$;

-- Makes the months that lack, from this one to so many ahead; gives how many. The application may call it, and make no tables.
CREATE FUNCTION make_months(p_ahead integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    v_this date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_month date;
    v_store text;
    v_made integer := 0;
BEGIN
    IF p_ahead IS NULL OR p_ahead NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'months are made up to 24 ahead' USING ERRCODE = 'HL003';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('months', 0));
    FOREACH v_store IN ARRAY ARRAY['deliveries', 'bodies', 'entries'] LOOP
        FOR v_n IN 0 .. p_ahead LOOP
            v_month := v_this + v_n * interval '1 month';
            IF NOT EXISTS (SELECT 1 FROM months m WHERE m.store = v_store AND m.beyond > v_month
                              AND (m.first IS NULL OR m.first <= v_month)) THEN
                PERFORM make_month(v_store, v_month);
                v_made := v_made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN v_made;
END
$$;

-- What belongs to no month, counted up to a thousand of each: made by a clock that is far off, or while months lacked.
CREATE FUNCTION count_rest() RETURNS bigint LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM (SELECT 1 FROM deliveries_rest LIMIT 1000) AS d)
         + (SELECT count(*) FROM (SELECT 1 FROM entries_rest LIMIT 1000) AS e);
END
$$;

-- Every id from now on is above the last, so what was there stays before it.
ALTER TABLE entries ALTER COLUMN id DROP IDENTITY;
ALTER TABLE entries ALTER COLUMN id SET DEFAULT next_entry();
SELECT setval('entry_numbers', coalesce(max(id), 0) + 1, false) FROM entries;

DO $$
DECLARE
    v_beyond date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 month';
    v_suffix text := to_char(v_beyond - 1, '"_until_"YYYY_MM');
    v_store text;
    v_old text;
    v_key text;
    v_end text;
    v_indexes text[];
    v_triggers text[];
    v_grants text[];
    v_part text;
    v_moved bigint;
BEGIN
    FOREACH v_store IN ARRAY ARRAY['deliveries', 'bodies', 'entries'] LOOP
        v_old := v_store || v_suffix;
        v_key := CASE v_store WHEN 'bodies' THEN 'delivery' ELSE 'id' END;
        v_end := CASE v_store WHEN 'entries' THEN first_entry(v_beyond)::text ELSE first_uuid(v_beyond)::text END;

        -- What hangs on the table, to be hung on the new one.
        SELECT array_agg(replace(pg_get_indexdef(x.indexrelid), 'CREATE UNIQUE INDEX', 'CREATE INDEX')) INTO v_indexes
          FROM pg_index x WHERE x.indrelid = v_store::regclass AND NOT x.indisprimary;
        SELECT array_agg(pg_get_triggerdef(t.oid)) INTO v_triggers
          FROM pg_trigger t WHERE t.tgrelid = v_store::regclass AND NOT t.tgisinternal;
        SELECT array_agg(format('GRANT %s ON %I TO %s', a.privilege_type, v_store, a.grantee::regrole)) INTO v_grants
          FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE c.oid = v_store::regclass AND a.grantee <> c.relowner;

        FOR v_part IN SELECT x.indexrelid::regclass::text FROM pg_index x WHERE x.indrelid = v_store::regclass AND x.indisunique AND NOT x.indisprimary LOOP
            EXECUTE format('DROP INDEX %s', v_part);
        END LOOP;
        FOR v_part IN SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = v_store::regclass LOOP
            EXECUTE format('ALTER INDEX %I RENAME TO %I', v_part, v_old || substr(v_part, length(v_store) + 1));
        END LOOP;
        FOR v_part IN SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = v_store::regclass AND t.tgnewtable IS NOT NULL LOOP
            EXECUTE format('DROP TRIGGER %I ON %I', v_part, v_store);
        END LOOP;
        FOR v_part IN SELECT DISTINCT a.grantee::regrole::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
                       WHERE c.oid = v_store::regclass AND a.grantee <> c.relowner LOOP
            EXECUTE format('REVOKE ALL ON %I FROM %s', v_store, v_part);
        END LOOP;
        EXECUTE format('ALTER TABLE %I RENAME TO %I', v_store, v_old);

        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) PARTITION BY RANGE (%I)', v_store, v_old, v_key);
        EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (%I)', v_store, v_key);
        FOREACH v_part IN ARRAY coalesce(v_indexes, '{}') LOOP EXECUTE v_part; END LOOP;

        -- Ids of a clock that was far ahead belong to no month yet.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', v_store || '_rest', v_old);
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L', v_store || '_rest', v_old, v_key, v_end);
        GET DIAGNOSTICS v_moved = ROW_COUNT;
        IF v_moved > 0 THEN
            EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', v_old);
            EXECUTE format('DELETE FROM %I WHERE %I >= %L', v_old, v_key, v_end);
            EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', v_old);
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', v_store, v_old, v_end);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I DEFAULT', v_store, v_store || '_rest');

        FOREACH v_part IN ARRAY coalesce(v_triggers, '{}') LOOP EXECUTE v_part; END LOOP;
        FOREACH v_part IN ARRAY coalesce(v_grants, '{}') LOOP EXECUTE v_part; END LOOP;
    END LOOP;
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deliveries_rest
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries_rest
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Nobody but the store numbers entries.
REVOKE INSERT ON entries FROM hookledger_app, hookledger_keeper;
GRANT INSERT (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor, acting_for,
              code_version, rules_hash, detail, commitment) ON entries TO hookledger_app, hookledger_keeper;
GRANT USAGE ON SEQUENCE entry_numbers TO hookledger_app, hookledger_keeper;
GRANT SELECT ON months TO hookledger_app, hookledger_keeper;
REVOKE EXECUTE ON FUNCTION make_month, make_months, count_rest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_months, count_rest TO hookledger_app, hookledger_keeper;

SELECT make_months(3);
