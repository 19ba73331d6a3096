-- What is younger is dropped for nobody. Where another law holds, the owner of the store replaces this function.
CREATE FUNCTION legal_floor() RETURNS interval LANGUAGE sql STABLE
RETURN interval '365 days';

-- Deliveries of a span that outlive their month, with their bodies: the last that is known of somebody who is not archived,
-- and what unsettled work is about.
CREATE FUNCTION needed_deliveries(p_from uuid, p_beyond uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT i.delivery FROM identities i WHERE i.archived_at IS NULL AND i.delivery >= p_from AND i.delivery < p_beyond
     UNION
    SELECT w.delivery FROM work w WHERE w.settled_at IS NULL AND w.delivery >= p_from AND w.delivery < p_beyond;
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

-- Drops what nobody needs of the month that ends before `p_beyond`, and records it, one deed for each tenant, in one
-- transaction. Class 'bodies' are bodies; class 'entries' are entries and deliveries, and what is left of the bodies.
-- What is needed is copied beside the month while nobody waits; then, for as long as it takes to look once more, everybody
-- does. Locks are taken in the order in which receive() takes them.
CREATE FUNCTION drop_month(p_class text, p_beyond date, p_keep interval, p_actor text, p_release text)
RETURNS TABLE (o_tenant text, o_dropped jsonb, o_kept jsonb) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' SET enable_seqscan = on AS $$
DECLARE
    v_stores text[];
    v_store text;
    v_parts jsonb := '{}';
    v_bounds jsonb := '{}';
    v_first date;
    v_has_first boolean := false;
    v_from uuid;
    v_until uuid := first_uuid(p_beyond);
    v_from_entry bigint;
    v_until_entry bigint := first_entry(p_beyond);
    v_bodies text;
    v_deliveries text;
    v_survives jsonb;
    v_key text;
    v_all jsonb := '{}';
    v_kept jsonb := '{}';
    v_counts jsonb;
    v_some boolean := false;
    v_detail jsonb;
    v_head record;
    v_leaves jsonb;
    r record;
BEGIN
    PERFORM must_be_over_age(p_beyond, p_keep);
    v_stores := CASE p_class WHEN 'bodies' THEN ARRAY['bodies'] WHEN 'entries' THEN ARRAY['bodies', 'deliveries', 'entries'] END;
    IF v_stores IS NULL THEN RAISE EXCEPTION 'no class % lies in months', p_class USING ERRCODE = 'HL003'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('months', 0));

    FOR r IN SELECT m.store, m.part, m.first, pg_get_expr(c.relpartbound, c.oid) AS bound
               FROM months m JOIN pg_class c ON c.oid = ('public.' || quote_ident(m.part))::regclass
              WHERE m.beyond = p_beyond AND m.store = ANY (v_stores) LOOP
        v_parts := v_parts || jsonb_build_object(r.store, r.part);
        v_bounds := v_bounds || jsonb_build_object(r.store, r.bound);
        v_first := r.first;
        v_has_first := true;
    END LOOP;
    IF NOT v_has_first THEN RETURN; END IF;
    v_from := coalesce(first_uuid(v_first), '00000000-0000-0000-0000-000000000000');
    v_from_entry := coalesce(first_entry(v_first), -9223372036854775808);

    -- Nothing goes that the tree does not hold: its leaf is what will stand for it.
    IF p_class = 'entries' AND EXISTS (
        SELECT 1 FROM entries e WHERE e.id >= v_from_entry AND e.id < v_until_entry
           AND NOT EXISTS (SELECT 1 FROM leaves l WHERE l.entry = e.id)) THEN
        RAISE EXCEPTION 'entries of the month before % are not sealed', p_beyond USING ERRCODE = 'HL004';
    END IF;

    v_bodies := CASE WHEN v_parts ? 'bodies' THEN 'bodies_kept' ELSE 'bodies' END;
    v_deliveries := CASE WHEN v_parts ? 'deliveries' THEN 'deliveries_kept' ELSE 'deliveries' END;
    v_survives := jsonb_build_object(
        'bodies', format('r.delivery IN (SELECT n FROM needed_deliveries(%L, %L) AS n)', v_from, v_until),
        'deliveries', format('r.id IN (SELECT b.delivery FROM public.%I b WHERE b.delivery >= %L AND b.delivery < %L
                                        UNION SELECT n FROM needed_deliveries(%L, %L) AS n)', v_bodies, v_from, v_until, v_from, v_until),
        'entries', format('(r.delivery >= %L AND r.delivery < %L AND r.delivery IN (SELECT d.id FROM public.%I d WHERE d.id >= %L AND d.id < %L))
                           OR (NOT (r.delivery >= %L AND r.delivery < %L) AND EXISTS (SELECT 1 FROM public.deliveries d WHERE d.id = r.delivery))
                           OR (r.hook = ''operator'' AND r.outcome = ''retention dropped'')',
                          v_from, v_until, v_deliveries, v_from, v_until, v_from, v_until));

    FOREACH v_store IN ARRAY v_stores LOOP
        CONTINUE WHEN NOT v_parts ? v_store;
        EXECUTE format('SELECT coalesce(jsonb_object_agg(t, n), ''{}'') FROM (SELECT %s AS t, count(*) AS n FROM public.%I r GROUP BY 1) AS q',
                       CASE v_store WHEN 'bodies' THEN 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = r.delivery), ''?'')' ELSE 'r.tenant' END,
                       v_parts ->> v_store) INTO v_counts;
        v_all := v_all || jsonb_build_object(v_store, v_counts);
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', v_store || '_kept', v_store);
        EXECUTE format('INSERT INTO public.%I SELECT r.* FROM public.%I r WHERE %s', v_store || '_kept', v_parts ->> v_store, v_survives ->> v_store);
    END LOOP;

    FOREACH v_store IN ARRAY ARRAY['deliveries', 'bodies', 'entries'] LOOP
        IF v_parts ? v_store THEN EXECUTE format('LOCK TABLE ONLY public.%I IN ACCESS EXCLUSIVE MODE', v_store); END IF;
    END LOOP;
    FOREACH v_store IN ARRAY v_stores LOOP
        CONTINUE WHEN NOT v_parts ? v_store;
        v_key := CASE v_store WHEN 'bodies' THEN 'delivery' ELSE 'id' END;
        EXECUTE format('INSERT INTO public.%I SELECT r.* FROM public.%I r WHERE (%s) AND NOT EXISTS (SELECT 1 FROM public.%I k WHERE k.%I = r.%I)',
                       v_store || '_kept', v_parts ->> v_store, v_survives ->> v_store, v_store || '_kept', v_key, v_key);
        -- Of erased bodies the copy knows nothing.
        IF v_store = 'bodies' THEN
            EXECUTE format('DELETE FROM public.bodies_kept k WHERE NOT EXISTS (SELECT 1 FROM public.%I r WHERE r.delivery = k.delivery)', v_parts ->> v_store);
        END IF;
        EXECUTE format('SELECT coalesce(jsonb_object_agg(t, n), ''{}'') FROM (SELECT %s AS t, count(*) AS n FROM public.%I r GROUP BY 1) AS q',
                       CASE v_store WHEN 'bodies' THEN 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = r.delivery), ''?'')' ELSE 'r.tenant' END,
                       v_store || '_kept') INTO v_counts;
        v_kept := v_kept || jsonb_build_object(v_store, v_counts);
    END LOOP;

    FOREACH v_store IN ARRAY v_stores LOOP
        CONTINUE WHEN NOT v_parts ? v_store;
        EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', v_store, v_parts ->> v_store);
        EXECUTE format('DROP TABLE public.%I', v_parts ->> v_store);
        IF v_kept -> v_store = '{}' THEN
            EXECUTE format('DROP TABLE public.%I', v_store || '_kept');
            CONTINUE;
        END IF;
        EXECUTE format('ALTER TABLE public.%I RENAME TO %I', v_store || '_kept', v_parts ->> v_store);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I %s', v_store, v_parts ->> v_store, v_bounds ->> v_store);
        IF v_store <> 'bodies' THEN
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%I
                            FOR EACH STATEMENT EXECUTE FUNCTION public.append_only()', v_parts ->> v_store);
        END IF;
    END LOOP;

    SELECT c.size, encode(c.root, 'base64') AS root INTO v_head FROM checkpoints c ORDER BY c.number DESC LIMIT 1;
    IF p_class = 'entries' THEN
        SELECT jsonb_build_array(min(l.number), max(l.number)) INTO v_leaves
          FROM leaves l WHERE l.entry >= v_from_entry AND l.entry < v_until_entry;
    END IF;
    FOR o_tenant IN SELECT DISTINCT t FROM jsonb_each(v_all) AS s (store, counts), jsonb_object_keys(s.counts) AS t ORDER BY 1 LOOP
        SELECT jsonb_object_agg(s.store, (s.counts ->> o_tenant)::bigint - coalesce((v_kept -> s.store ->> o_tenant)::bigint, 0)),
               jsonb_object_agg(s.store, coalesce((v_kept -> s.store ->> o_tenant)::bigint, 0)),
               bool_or((s.counts ->> o_tenant)::bigint <> coalesce((v_kept -> s.store ->> o_tenant)::bigint, 0))
          INTO o_dropped, o_kept, v_some
          FROM jsonb_each(v_all) AS s (store, counts) WHERE s.counts ? o_tenant;
        CONTINUE WHEN NOT v_some;
        v_detail := jsonb_build_object(
            'class', p_class, 'month', CASE WHEN v_first IS NULL THEN 'until ' ELSE '' END || to_char(p_beyond - 1, 'YYYY-MM'),
            'beyond', p_beyond, 'deliveries', jsonb_build_array(first_uuid(v_first), v_until), 'dropped', o_dropped, 'kept', o_kept);
        IF p_class = 'entries' THEN
            v_detail := v_detail || jsonb_build_object('entries', jsonb_build_array(first_entry(v_first), v_until_entry), 'leaves', v_leaves);
        END IF;
        IF v_head.size IS NOT NULL THEN
            v_detail := v_detail || jsonb_build_object('checkpoint', jsonb_build_object('size', v_head.size, 'root', v_head.root));
        END IF;
        PERFORM record_retention(o_tenant, p_actor, p_release, p_keep, v_detail);
        RETURN NEXT;
    END LOOP;
END
$$;

-- Drops rows of tables that do not lie in months, from before that month, at most so many; and records it.
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
        WHEN 'work' THEN format('settled_at < %L AND delivery < %L', v_before, first_uuid(p_beyond))
        WHEN 'faults' THEN format('at < %L', v_before)
        WHEN 'refusals' THEN format('at < %L', v_before)
        WHEN 'gaps' THEN format('closed_at < %L', v_before)
        WHEN 'imports' THEN format('finished_at < %L', v_before)
    END;
    IF v_where IS NULL THEN RAISE EXCEPTION 'no class %', p_class USING ERRCODE = 'HL003'; END IF;
    IF p_class = 'faults' THEN
        v_tenant := 'coalesce((SELECT d.tenant FROM public.deliveries d WHERE d.id = x.delivery), ''?'')';
    END IF;
    IF p_class = 'imports' THEN
        EXECUTE format('DELETE FROM public.import_findings WHERE import IN (SELECT id FROM public.imports WHERE %s)', v_where);
    END IF;
    FOR o_tenant, o_dropped IN EXECUTE format(
        'WITH gone AS (DELETE FROM public.%I x WHERE x.ctid = ANY (ARRAY(SELECT ctid FROM public.%I WHERE %s LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING %s AS t)
         SELECT t, count(*) FROM gone GROUP BY t ORDER BY t', p_class, p_class, v_where, p_most, v_tenant) LOOP
        PERFORM record_retention(o_tenant, p_actor, p_release, p_keep, jsonb_build_object(
            'class', p_class, 'month', 'until ' || to_char(p_beyond - 1, 'YYYY-MM'), 'beyond', p_beyond,
            'dropped', jsonb_build_object(p_class, o_dropped)));
        RETURN NEXT;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION needed_deliveries, must_be_over_age, record_retention, drop_month, drop_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION needed_deliveries, drop_month, drop_rows TO hookledger_app, hookledger_keeper;
