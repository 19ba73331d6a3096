-- What is younger is dropped for nobody. Where another law holds, the owner of the store replaces this function.
CREATE FUNCTION legal_floor() RETURNS interval LANGUAGE sql STABLE
RETURN interval '365 days';

-- Deliveries of a span that outlive their month, with their bodies: the last that is known of somebody who is not archived,
-- what unsettled work is about, and everything of a person under legal hold.
CREATE FUNCTION needed_deliveries(p_from uuid, p_beyond uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT i.delivery FROM identities i WHERE i.archived_at IS NULL AND i.delivery >= p_from AND i.delivery < p_beyond
     UNION
    SELECT w.delivery FROM work w WHERE w.settled_at IS NULL AND w.delivery >= p_from AND w.delivery < p_beyond
     UNION
    SELECT d.id FROM legal_holds h JOIN deliveries d ON d.subject = h.subject AND d.tenant = h.tenant
     WHERE h.released_at IS NULL AND d.id >= p_from AND d.id < p_beyond;
END;

CREATE FUNCTION must_be_over_age(p_beyond date, p_keep interval) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_keep IS NULL OR p_beyond IS NULL OR p_beyond <> date_trunc('month', p_beyond::timestamp)::date
       OR p_beyond::timestamp > (clock_timestamp() AT TIME ZONE 'UTC') - greatest(p_keep, legal_floor()) THEN
        RAISE EXCEPTION 'the month before % is too young to be dropped', p_beyond USING ERRCODE = 'HL002';
    END IF;
END
$$;

-- A deed without an operator: written like theirs, in the transaction of what it tells.
CREATE FUNCTION record_retention(p_tenant text, p_actor text, p_release text, p_keep interval, p_detail jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_random text := replace(gen_random_uuid()::text, '-', '');
    v_id uuid := (lpad(to_hex((extract(epoch FROM v_now) * 1000)::bigint), 12, '0') || '7' || substr(v_random, 14))::uuid;
    v_salt bytea := uuid_send(gen_random_uuid());
    v_body text := jsonb_build_object('request', jsonb_build_object(
        'deed', 'retention dropped', 'reason', 'kept ' || extract(day FROM p_keep) || ' days, as [ledger.retention] says'));
    v_commitment bytea := sha256('hookledger/body/v1'::bytea || '\x00'::bytea || v_salt || convert_to(v_body, 'UTF8'));
BEGIN
    INSERT INTO deliveries (id, tenant, hook, actor, verdict, rules_hash, commitment, received_at)
    VALUES (v_id, p_tenant, 'operator', p_actor, 'retention dropped', 'operator', v_commitment, v_now);
    INSERT INTO bodies (delivery, salt, body) VALUES (v_id, v_salt, v_body);
    INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, detail, commitment)
    VALUES (v_now, p_tenant, v_id, 'operator', 'retention dropped', p_actor, p_release, 'operator', p_detail, v_commitment);
END
$$;

-- Whether a row `r` is about somebody under legal hold, as a condition. `p_subject`: the row's people, in parentheses.
CREATE FUNCTION is_held(p_subject text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN format('EXISTS (SELECT 1 FROM public.legal_holds h WHERE h.released_at IS NULL AND h.subject IN %s)', p_subject);

-- What of a month outlives it, as a condition on its rows `r`: what is needed, with the entries that tell of it; entries whose
-- delivery is of another month and still there; those about somebody under legal hold, whoever made them; and the deeds of
-- retention, which account for what is gone.
CREATE FUNCTION outlives(p_store text, p_from uuid, p_until uuid) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE p_store
    WHEN 'bodies' THEN format('r.delivery IN (SELECT n FROM public.needed_deliveries(%L, %L) AS n)', p_from, p_until)
    WHEN 'deliveries' THEN format('r.id IN (SELECT n FROM public.needed_deliveries(%L, %L) AS n)', p_from, p_until)
    WHEN 'entries' THEN format(
        'r.delivery IN (SELECT n FROM public.needed_deliveries(%L, %L) AS n)
         OR ((r.delivery < %L OR r.delivery >= %L) AND EXISTS (SELECT 1 FROM public.deliveries d WHERE d.id = r.delivery))
         OR (r.hook = ''operator'' AND r.outcome = ''retention dropped'')
         OR %s', p_from, p_until, p_from, p_until, is_held('(r.subject)'))
END;

-- The stores of a class that lies in months, in the order in which receive() locks them.
CREATE FUNCTION stores_of(p_class text) RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN CASE p_class WHEN 'bodies' THEN ARRAY['bodies'] WHEN 'entries' THEN ARRAY['deliveries', 'bodies', 'entries'] END;

-- How many rows the month that ends before `p_beyond` has, and how many of them outlive it.
CREATE FUNCTION weigh_month(p_class text, p_beyond date)
RETURNS TABLE (o_store text, o_rows bigint, o_kept bigint) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_part text;
    v_from uuid;
BEGIN
    FOR o_store, v_part, v_from IN
        SELECT m.store, m.part, coalesce(first_uuid(m.first), '00000000-0000-0000-0000-000000000000')
          FROM months m WHERE m.beyond = p_beyond AND m.store = ANY (stores_of(p_class)) ORDER BY array_position(stores_of(p_class), m.store) LOOP
        EXECUTE format('SELECT count(*), count(*) FILTER (WHERE %s) FROM public.%I r', outlives(o_store, v_from, first_uuid(p_beyond)), v_part)
           INTO o_rows, o_kept;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Drops what does not outlive the month that ends before `p_beyond`, and records it, one deed for each tenant, in one
-- transaction. Class 'bodies' are bodies; class 'entries' are entries and deliveries, and what is left of the bodies.
-- What stays is copied beside the month while nobody waits; then, for as long as it takes to look once more, everybody does.
CREATE FUNCTION drop_month(p_class text, p_beyond date, p_keep interval, p_actor text, p_release text)
RETURNS TABLE (o_tenant text, o_dropped jsonb, o_kept jsonb) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    v_first date;
    v_from uuid;
    v_until uuid := first_uuid(p_beyond);
    v_from_entry bigint;
    v_until_entry bigint := first_entry(p_beyond);
    v_months jsonb;
    v_month jsonb;
    v_survives text;
    v_key text;
    v_tenant text;
    v_all jsonb := '{}';
    v_kept jsonb := '{}';
    v_counts jsonb;
    v_any boolean := false;
    v_detail jsonb;
    v_size bigint;
    v_root text;
    v_leaves jsonb;
BEGIN
    PERFORM must_be_over_age(p_beyond, p_keep);
    IF stores_of(p_class) IS NULL THEN RAISE EXCEPTION 'no class % lies in months', p_class USING ERRCODE = 'HL003'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('months', 0));

    SELECT jsonb_agg(jsonb_build_object('store', m.store, 'part', m.part, 'bound', pg_get_expr(c.relpartbound, c.oid))
                     ORDER BY array_position(stores_of(p_class), m.store)), min(m.first)
      INTO v_months, v_first
      FROM months m JOIN pg_class c ON c.relname = m.part AND c.relnamespace = 'public'::regnamespace
     WHERE m.beyond = p_beyond AND m.store = ANY (stores_of(p_class));
    IF v_months IS NULL THEN RETURN; END IF;
    v_from := coalesce(first_uuid(v_first), '00000000-0000-0000-0000-000000000000');
    v_from_entry := coalesce(first_entry(v_first), -9223372036854775808);

    -- Most days, nothing has changed in what was left of a month. An empty one goes as well.
    FOR v_month IN SELECT * FROM jsonb_array_elements(v_months) LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT 1 FROM public.%I) OR EXISTS (SELECT 1 FROM public.%I r WHERE NOT (%s))', v_month ->> 'part',
                       v_month ->> 'part', outlives(v_month ->> 'store', v_from, v_until)) INTO v_any;
        EXIT WHEN v_any;
    END LOOP;
    IF NOT v_any THEN RETURN; END IF;

    -- Nothing goes that the tree does not hold: its leaf is what will stand for it.
    IF p_class = 'entries' AND EXISTS (
        SELECT 1 FROM entries e WHERE e.id >= v_from_entry AND e.id < v_until_entry
           AND NOT EXISTS (SELECT 1 FROM leaves l WHERE l.entry = e.id)) THEN
        RAISE EXCEPTION 'entries of the month before % are not sealed', p_beyond USING ERRCODE = 'HL004';
    END IF;

    FOR v_month IN SELECT * FROM jsonb_array_elements(v_months) LOOP
        v_tenant := CASE v_month ->> 'store' WHEN 'bodies' THEN 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = r.delivery), ''?'')' ELSE 'r.tenant' END;
        EXECUTE format('SELECT coalesce(jsonb_object_agg(t, n), ''{}'') FROM (SELECT %s AS t, count(*) AS n FROM public.%I r GROUP BY 1) AS q',
                       v_tenant, v_month ->> 'part') INTO v_counts;
        v_all := v_all || jsonb_build_object(v_month ->> 'store', v_counts);
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
                       v_month ->> 'store' || '_kept', v_month ->> 'store');
        EXECUTE format('INSERT INTO public.%I SELECT r.* FROM public.%I r WHERE %s', v_month ->> 'store' || '_kept', v_month ->> 'part',
                       outlives(v_month ->> 'store', v_from, v_until));
    END LOOP;

    FOR v_month IN SELECT * FROM jsonb_array_elements(v_months) LOOP
        EXECUTE format('LOCK TABLE ONLY public.%I IN ACCESS EXCLUSIVE MODE', v_month ->> 'store');
    END LOOP;
    FOR v_month IN SELECT * FROM jsonb_array_elements(v_months) LOOP
        v_tenant := CASE v_month ->> 'store' WHEN 'bodies' THEN 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = r.delivery), ''?'')' ELSE 'r.tenant' END;
        v_key := CASE v_month ->> 'store' WHEN 'bodies' THEN 'delivery' ELSE 'id' END;
        EXECUTE format('INSERT INTO public.%I SELECT r.* FROM public.%I r WHERE (%s) AND NOT EXISTS (SELECT 1 FROM public.%I k WHERE k.%I = r.%I)',
                       v_month ->> 'store' || '_kept', v_month ->> 'part', outlives(v_month ->> 'store', v_from, v_until),
                       v_month ->> 'store' || '_kept', v_key, v_key);
        -- What was erased meanwhile is not brought back.
        IF v_month ->> 'store' = 'bodies' THEN
            EXECUTE format('DELETE FROM public.bodies_kept k WHERE NOT EXISTS (SELECT 1 FROM public.%I r WHERE r.delivery = k.delivery)', v_month ->> 'part');
        END IF;
        EXECUTE format('SELECT coalesce(jsonb_object_agg(t, n), ''{}'') FROM (SELECT %s AS t, count(*) AS n FROM public.%I r GROUP BY 1) AS q',
                       v_tenant, v_month ->> 'store' || '_kept') INTO v_counts;
        v_kept := v_kept || jsonb_build_object(v_month ->> 'store', v_counts);
    END LOOP;

    FOR v_month IN SELECT * FROM jsonb_array_elements(v_months) LOOP
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', v_month ->> 'store', v_month ->> 'part');
        EXECUTE format('DROP TABLE public.%I', v_month ->> 'part');
        IF v_kept -> (v_month ->> 'store') = '{}' THEN
            EXECUTE format('DROP TABLE public.%I', v_month ->> 'store' || '_kept');
            CONTINUE;
        END IF;
        EXECUTE format('ALTER TABLE public.%I RENAME TO %I', v_month ->> 'store' || '_kept', v_month ->> 'part');
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I %s', v_month ->> 'store', v_month ->> 'part', v_month ->> 'bound');
        IF v_month ->> 'store' <> 'bodies' THEN
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%I
                            FOR EACH STATEMENT EXECUTE FUNCTION public.append_only()', v_month ->> 'part');
        END IF;
    END LOOP;

    SELECT c.size, encode(c.root, 'base64') INTO v_size, v_root FROM checkpoints c ORDER BY c.number DESC LIMIT 1;
    IF p_class = 'entries' THEN
        SELECT jsonb_build_array(min(l.number), max(l.number)) INTO v_leaves
          FROM leaves l WHERE l.entry >= v_from_entry AND l.entry < v_until_entry;
    END IF;
    FOR o_tenant IN SELECT DISTINCT t FROM jsonb_each(v_all) AS s (store, counts), jsonb_object_keys(s.counts) AS t ORDER BY 1 LOOP
        SELECT jsonb_object_agg(q.store, q.n - q.kept), jsonb_object_agg(q.store, q.kept), bool_or(q.n <> q.kept)
          INTO o_dropped, o_kept, v_any
          FROM (SELECT s.store, (s.counts ->> o_tenant)::bigint AS n, coalesce((v_kept -> s.store ->> o_tenant)::bigint, 0) AS kept
                  FROM jsonb_each(v_all) AS s (store, counts) WHERE s.counts ? o_tenant) AS q;
        CONTINUE WHEN NOT v_any;
        v_detail := jsonb_build_object(
            'class', p_class, 'month', CASE WHEN v_first IS NULL THEN 'until ' ELSE '' END || to_char(p_beyond - 1, 'YYYY-MM'),
            'beyond', p_beyond, 'dropped', o_dropped, 'kept', o_kept);
        IF p_class = 'entries' THEN
            v_detail := v_detail || jsonb_build_object('entries', jsonb_build_array(first_entry(v_first), v_until_entry), 'leaves', v_leaves);
        END IF;
        IF v_size IS NOT NULL THEN
            v_detail := v_detail || jsonb_build_object('checkpoint', jsonb_build_object('size', v_size, 'root', v_root));
        END IF;
        PERFORM record_retention(o_tenant, p_actor, p_release, p_keep, v_detail);
        RETURN NEXT;
    END LOOP;
END
$$;

-- Drops rows of tables that do not lie in months, from before that month, at most so many; and records it. What is about a
-- person under legal hold stays; calls turned away and imports of files are about nobody.
CREATE FUNCTION drop_rows(p_class text, p_beyond date, p_keep interval, p_most integer, p_actor text, p_release text)
RETURNS TABLE (o_tenant text, o_dropped bigint) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    v_before timestamptz := p_beyond::timestamp AT TIME ZONE 'UTC';
    v_where text;
    v_tenant text := 'x.tenant';
BEGIN
    PERFORM must_be_over_age(p_beyond, p_keep);
    v_where := CASE p_class
        WHEN 'work' THEN format('r.settled_at < %L AND r.delivery < %L AND NOT %s', v_before, first_uuid(p_beyond), is_held('(r.subject)'))
        -- Told by the work or by the delivery, whichever is still there.
        WHEN 'faults' THEN format('r.at < %L AND NOT %s', v_before, is_held(
            '(SELECT w.subject FROM public.work w WHERE w.delivery = r.delivery AND w.activity = r.activity
              UNION ALL SELECT d.subject FROM public.deliveries d WHERE d.id = r.delivery)'))
        WHEN 'refusals' THEN format('r.at < %L', v_before)
        WHEN 'gaps' THEN format('r.closed_at < %L AND NOT %s', v_before, is_held('(r.subject)'))
        WHEN 'imports' THEN format('r.finished_at < %L', v_before)
    END;
    IF v_where IS NULL THEN RAISE EXCEPTION 'no class %', p_class USING ERRCODE = 'HL003'; END IF;
    IF p_class = 'faults' THEN
        v_tenant := 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = x.delivery), ''?'')';
    END IF;
    IF p_class = 'imports' THEN
        EXECUTE format('DELETE FROM public.import_findings WHERE import IN (SELECT r.id FROM public.imports r WHERE %s)', v_where);
    END IF;
    FOR o_tenant, o_dropped IN EXECUTE format(
        'WITH gone AS (DELETE FROM public.%I x WHERE x.ctid = ANY (ARRAY(SELECT r.ctid FROM public.%I r WHERE %s LIMIT %s FOR UPDATE OF r SKIP LOCKED)) RETURNING %s AS t)
         SELECT t, count(*) FROM gone GROUP BY t ORDER BY t', p_class, p_class, v_where, p_most, v_tenant) LOOP
        PERFORM record_retention(o_tenant, p_actor, p_release, p_keep, jsonb_build_object(
            'class', p_class, 'month', 'until ' || to_char(p_beyond - 1, 'YYYY-MM'), 'beyond', p_beyond,
            'dropped', jsonb_build_object(p_class, o_dropped)));
        RETURN NEXT;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION needed_deliveries, must_be_over_age, record_retention, weigh_month, drop_month, drop_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION weigh_month, drop_month, drop_rows TO hookledger_app, hookledger_keeper;
