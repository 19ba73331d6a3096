-- Decides and records one delivery: one call, one transaction, before any workflow is touched (DESIGN §3.5).
--
-- Locks, always in this order, so that no two calls can wait for each other:
--   1. advisory locks on every name and value of the delivery, sorted by the caller (p_locks);
--   2. the tenant's rename lock, only when a name changes hands;
--   3. the subject's row; then rows that belong to that subject or to a value locked in 1.
-- A person's own names are found by `subject`: with "until IS NULL" a plan made while the table was small would read the
-- index of all live names instead, and keep on when it is large; coalesce() says the same and cannot be mistaken for it.
-- Read committed: every statement below sees what was committed before it began, so what is read after 1 is fresh.
CREATE OR REPLACE FUNCTION receive(
    p_tenant text, p_delivery uuid, p_hook text, p_locks bigint[],
    p_platform_id text, p_login text, p_new_subject uuid, p_new_workflow text,
    p_creates boolean, p_fact boolean, p_identity boolean,
    p_application text, p_actor text, p_acting_for text, p_source_id text, p_twin bytea,
    p_verdict text, p_check text, p_hold interval, p_attributes text[], p_values text[], p_release interval,
    p_brake integer, p_brake_window interval,
    p_status text, p_left boolean, p_archived boolean, p_version bigint, p_updated text,
    p_confirms text[],
    p_activities text[], p_lanes text[], p_plans jsonb[], p_delays interval[], p_waits boolean[],
    p_salt bytea, p_body text, p_commitment bytea, p_sealed bytea, p_sealed_for interval,
    p_code_version text, p_rules_hash text,
    p_codes text[], p_shadowed text[], p_patch text, p_note_outcomes text[], p_note_details jsonb[],
    p_name_attributes text[], p_name_persons text[],
    p_stem_wishes integer[], p_stem_befores text[], p_stem_afters text[], p_stem_normal_befores text[], p_stem_normal_afters text[],
    OUT o_subject uuid, OUT o_seq bigint, OUT o_workflow text, OUT o_verdict text, OUT o_codes text[],
    OUT o_repeat_of uuid, OUT o_suspected boolean, OUT o_planned integer, OUT o_names text[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_by_id uuid;
    v_by_login uuid;
    v_login_has_id boolean := false;
    v_rehire_of uuid;
    v_before uuid;
    v_left timestamptz;
    v_archived timestamptz;
    v_last recent%ROWTYPE;
    v_rename boolean := false;
    v_notes text[] := '{}';
    v_clashes text[];
    v_would text[];
    v_wish integer;
    v_kept boolean := true;
BEGIN
    o_verdict := p_verdict;
    o_codes := coalesce(p_codes, '{}');
    o_suspected := false;
    o_planned := 0;

    -- Until the transaction ends, nothing of another tenant is to be seen (docs/adr/0031).
    PERFORM set_config('hookledger.tenants', p_tenant, true);
    PERFORM pg_advisory_xact_lock(k) FROM unnest(p_locks) AS k;
    v_now := clock_timestamp();

    -- A repeat by delivery id gets the first verdict.
    IF p_source_id IS NOT NULL THEN
        SELECT d.id, d.subject, d.seq, d.verdict, d.codes INTO o_repeat_of, o_subject, o_seq, o_verdict, o_codes
          FROM deliveries d WHERE d.tenant = p_tenant AND d.source_id = p_source_id;
        IF FOUND THEN
            INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for,
                                 code_version, rules_hash, commitment)
            VALUES (v_now, p_tenant, o_subject, o_repeat_of, o_seq, p_hook, p_application, 'duplicate', p_actor, p_acting_for,
                    p_code_version, p_rules_hash, p_commitment);
            o_names := ARRAY(SELECT (SELECT n.shown FROM names n WHERE n.tenant = p_tenant AND n.attribute = w.attribute
                                        AND n.person = coalesce(w.person, 'subject:' || o_subject))
                               FROM unnest(p_name_attributes, p_name_persons) WITH ORDINALITY AS w (attribute, person, place)
                              ORDER BY w.place);
            RETURN;
        END IF;
        o_verdict := p_verdict;
        o_codes := coalesce(p_codes, '{}');
    END IF;

    -- Who is it? By platform id if there is one, else by login.
    IF p_login IS NOT NULL THEN
        IF p_platform_id IS NOT NULL THEN
            SELECT h.subject INTO v_by_id FROM handles h
             WHERE h.tenant = p_tenant AND h.kind = 'id' AND h.value = p_platform_id AND h.until IS NULL;
        END IF;
        SELECT h.subject INTO v_by_login FROM handles h
         WHERE h.tenant = p_tenant AND h.kind = 'login' AND h.value = p_login AND h.until IS NULL;
        IF v_by_id IS NOT NULL THEN
            o_subject := v_by_id;
            IF v_by_login IS DISTINCT FROM v_by_id THEN
                IF v_by_login IS NOT NULL THEN v_notes := v_notes || 'merged'::text; END IF;
                v_rename := p_fact;
            END IF;
        ELSIF v_by_login IS NOT NULL THEN
            o_subject := v_by_login;
            IF p_platform_id IS NOT NULL THEN
                SELECT EXISTS (SELECT 1 FROM handles h WHERE h.subject = v_by_login AND h.kind = 'id'
                                  AND coalesce(h.until, 'infinity') = 'infinity')
                  INTO v_login_has_id;
            END IF;
            IF p_creates THEN
                SELECT i.left_at, i.archived_at INTO v_left, v_archived FROM identities i WHERE i.subject = v_by_login;
            END IF;
            IF v_login_has_id OR v_archived IS NOT NULL OR (p_fact AND v_left IS NOT NULL) THEN
                v_rehire_of := v_by_login;
                v_rename := p_fact OR v_archived IS NOT NULL;
                o_subject := NULL;
                v_notes := v_notes || 'rehire?'::text;
            END IF;
        END IF;

        IF v_rename THEN PERFORM pg_advisory_xact_lock(hashtextextended('rename:' || p_tenant, 0)); END IF;

        IF o_subject IS NULL THEN
            o_subject := p_new_subject;
            o_seq := 1;
            o_workflow := p_new_workflow;
            INSERT INTO subjects (id, tenant, workflow_id, seq, rehire_of, created_at)
            VALUES (o_subject, p_tenant, o_workflow, 1, v_rehire_of, v_now);
        ELSE
            UPDATE subjects s SET seq = s.seq + 1 WHERE s.id = o_subject RETURNING s.seq, s.workflow_id INTO o_seq, o_workflow;
            SELECT i.delivery INTO v_before FROM identities i WHERE i.subject = o_subject;
        END IF;

        IF p_platform_id IS NOT NULL AND v_by_id IS NULL THEN
            INSERT INTO handles (tenant, kind, value, subject, since) VALUES (p_tenant, 'id', p_platform_id, o_subject, v_now);
        END IF;
        IF v_rename THEN
            -- Facts rename: the login's old holder and the person's old login both end here.
            UPDATE handles h SET until = v_now
             WHERE h.until IS NULL AND h.kind = 'login' AND h.tenant = p_tenant AND h.value = p_login;
            UPDATE handles h SET until = v_now WHERE h.subject = o_subject AND h.kind = 'login' AND coalesce(h.until, 'infinity') = 'infinity';
            INSERT INTO handles (tenant, kind, value, subject, since) VALUES (p_tenant, 'login', p_login, o_subject, v_now);
        ELSIF v_by_login IS NULL AND v_by_id IS NULL THEN
            INSERT INTO handles (tenant, kind, value, subject, since) VALUES (p_tenant, 'login', p_login, o_subject, v_now);
        END IF;

        IF p_fact AND v_by_login = o_subject AND NOT v_rename THEN
            -- A login that was only asked for, before a rule gave another, is nobody's from now on.
            UPDATE handles h SET until = v_now
             WHERE h.subject = o_subject AND h.kind = 'login' AND coalesce(h.until, 'infinity') = 'infinity' AND h.value <> p_login;
        END IF;

        -- A twin of the delivery just before it, whatever its hook, is a suspected duplicate.
        IF v_before IS NOT NULL OR o_seq > 1 THEN
            SELECT * INTO v_last FROM recent r WHERE r.subject = o_subject;
            o_suspected := p_twin IS NOT NULL AND v_last.hash = p_twin AND v_last.hook = p_hook
                     AND v_last.at > v_now - interval '2 seconds';
            o_suspected := coalesce(o_suspected, false);
        END IF;
        INSERT INTO recent AS r (subject, hook, hash, at) VALUES (o_subject, p_hook, p_twin, v_now)
        ON CONFLICT (subject) DO UPDATE SET hook = excluded.hook, hash = excluded.hash, at = excluded.at;
    END IF;

    -- Decide: all values or none. OFFSET 0 keeps the planner from reading a whole table into a hash for each call.
    IF p_check IS NOT NULL AND cardinality(p_values) > 0 THEN
        SELECT array_agg(u.attribute) INTO v_clashes
          FROM unnest(p_attributes, p_values) AS u (attribute, value)
         WHERE EXISTS (SELECT 1 FROM known_values k
                        WHERE k.tenant = p_tenant AND k.attribute = u.attribute AND k.value = u.value
                          AND (p_check = 'create' OR k.subject <> o_subject)
                          AND (k.left_at IS NULL OR p_release IS NULL OR k.left_at > v_now - p_release) OFFSET 0)
            OR EXISTS (SELECT 1 FROM holds h
                        WHERE h.tenant = p_tenant AND h.attribute = u.attribute AND h.value = u.value
                          AND h.expires_at > v_now AND h.subject <> o_subject AND h.login <> p_login OFFSET 0);
        IF v_clashes IS NOT NULL AND p_shadowed IS NOT NULL THEN
            v_would := ARRAY(SELECT c FROM unnest(v_clashes) AS c WHERE c = ANY (p_shadowed));
            v_clashes := nullif(ARRAY(SELECT c FROM unnest(v_clashes) AS c WHERE c <> ALL (p_shadowed)), '{}');
        END IF;
        IF v_clashes IS NOT NULL AND p_verdict IN ('passed', 'refused') THEN
            o_verdict := 'refused';
            o_codes := o_codes || v_clashes;
        END IF;
    END IF;
    IF p_hold IS NOT NULL AND cardinality(p_values) > 0 THEN
        IF o_verdict = 'refused' THEN
            DELETE FROM holds h USING (SELECT x.ctid FROM holds x WHERE x.subject = o_subject FOR UPDATE SKIP LOCKED) AS mine
             WHERE h.ctid = mine.ctid;
        ELSE
            INSERT INTO holds AS h (tenant, attribute, value, subject, login, delivery, expires_at)
            SELECT p_tenant, u.attribute, u.value, o_subject, p_login, p_delivery, v_now + p_hold
              FROM unnest(p_attributes, p_values) AS u (attribute, value)
             WHERE v_clashes IS NULL OR u.attribute <> ALL (v_clashes)
            ON CONFLICT (tenant, attribute, value) DO UPDATE
               SET subject = excluded.subject, login = excluded.login, delivery = excluded.delivery,
                   expires_at = excluded.expires_at
             WHERE h.expires_at <= v_now OR h.subject = excluded.subject OR h.login = excluded.login;
        END IF;
    END IF;

    -- Name: one value for each wish, held like any other; the caller holds the lock on the attribute's namings.
    IF p_name_attributes IS NOT NULL AND o_verdict <> 'refused' THEN
        FOR v_wish IN 1 .. cardinality(p_name_attributes) LOOP
            o_names[v_wish] := give_name(
                p_tenant, p_name_attributes[v_wish], p_name_persons[v_wish], o_subject, p_login, p_delivery, v_now,
                coalesce(p_release, interval '0'), coalesce(p_hold, interval '10 minutes'),
                ARRAY(SELECT u.b FROM unnest(p_stem_wishes, p_stem_befores) WITH ORDINALITY AS u (w, b, n) WHERE u.w = v_wish ORDER BY u.n),
                ARRAY(SELECT u.a FROM unnest(p_stem_wishes, p_stem_afters) WITH ORDINALITY AS u (w, a, n) WHERE u.w = v_wish ORDER BY u.n),
                ARRAY(SELECT u.b FROM unnest(p_stem_wishes, p_stem_normal_befores) WITH ORDINALITY AS u (w, b, n) WHERE u.w = v_wish ORDER BY u.n),
                ARRAY(SELECT u.a FROM unnest(p_stem_wishes, p_stem_normal_afters) WITH ORDINALITY AS u (w, a, n) WHERE u.w = v_wish ORDER BY u.n));
            IF o_names[v_wish] IS NULL THEN v_notes := v_notes || 'no name'::text; END IF;
        END LOOP;
    END IF;

    IF p_brake IS NOT NULL AND o_verdict = 'deprovision' THEN
        PERFORM 1 FROM brakes b WHERE b.tenant = p_tenant AND b.stopped_at IS NOT NULL;
        IF NOT FOUND AND p_brake <= (
            SELECT count(*) FROM deliveries d
             WHERE d.tenant = p_tenant AND d.verdict = 'deprovision' AND d.received_at > v_now - p_brake_window
               AND d.received_at > coalesce((SELECT b.released_at FROM brakes b WHERE b.tenant = p_tenant), '-infinity'))
        THEN
            INSERT INTO brakes AS b (tenant, stopped_at) VALUES (p_tenant, v_now)
            ON CONFLICT (tenant) DO UPDATE SET stopped_at = excluded.stopped_at;
            v_notes := v_notes || 'brake'::text;
        END IF;
        PERFORM 1 FROM brakes b WHERE b.tenant = p_tenant AND b.stopped_at IS NOT NULL;
        IF FOUND THEN
            o_verdict := 'braked';
        END IF;
    END IF;

    -- Know: facts change what is known, never backwards.
    IF p_identity AND o_subject IS NOT NULL THEN
        INSERT INTO identities AS i (subject, tenant, delivery, seq, status, version, updated, left_at, archived_at)
        VALUES (o_subject, p_tenant, p_delivery, o_seq, p_status, p_version, p_updated,
                CASE WHEN p_left THEN v_now END, CASE WHEN p_archived THEN v_now END)
        ON CONFLICT (subject) DO UPDATE
           SET delivery = excluded.delivery, seq = excluded.seq, status = excluded.status,
               version = coalesce(excluded.version, i.version), updated = coalesce(excluded.updated, i.updated),
               left_at = CASE WHEN p_left THEN coalesce(i.left_at, v_now) END,
               archived_at = CASE WHEN p_archived THEN coalesce(i.archived_at, v_now) END
         WHERE NOT coalesce(excluded.version < i.version, false)
           AND NOT coalesce(excluded.version IS NULL AND excluded.updated < i.updated, false);
        v_kept := FOUND;
        IF v_kept THEN
            DELETE FROM known_values k
             WHERE k.subject = o_subject
               AND (p_archived OR NOT EXISTS (SELECT 1 FROM unnest(p_attributes, p_values) AS u (attribute, value)
                                               WHERE u.attribute = k.attribute AND u.value = k.value));
            INSERT INTO known_values AS k (tenant, attribute, value, subject, left_at)
            SELECT p_tenant, u.attribute, u.value, o_subject, CASE WHEN p_left THEN v_now END
              FROM unnest(p_attributes, p_values) AS u (attribute, value)
             WHERE NOT p_archived
            ON CONFLICT (tenant, attribute, value, subject) DO UPDATE
               SET left_at = CASE WHEN p_left THEN coalesce(k.left_at, v_now) END
             WHERE p_left OR k.left_at IS NOT NULL;
            SELECT array_agg(u.attribute) INTO v_clashes
              FROM unnest(p_attributes, p_values) AS u (attribute, value)
             WHERE EXISTS (SELECT 1 FROM known_values k
                            WHERE k.tenant = p_tenant AND k.attribute = u.attribute AND k.value = u.value
                              AND k.subject <> o_subject AND k.left_at IS NULL OFFSET 0);
            IF v_clashes IS NOT NULL THEN
                o_codes := v_clashes;
                v_notes := v_notes || 'conflict'::text;
            END IF;
        ELSE
            v_notes := v_notes || 'older'::text;
        END IF;
        DELETE FROM holds h
         USING (SELECT x.ctid FROM holds x WHERE x.subject IN (o_subject, v_rehire_of) FOR UPDATE SKIP LOCKED) AS mine
         WHERE h.ctid = mine.ctid;
    END IF;

    INSERT INTO deliveries (id, tenant, subject, seq, hook, application, actor, acting_for, source_id, verdict, codes,
                            rules_hash, before, commitment, received_at)
    VALUES (p_delivery, p_tenant, o_subject, o_seq, p_hook, p_application, p_actor, p_acting_for, p_source_id, o_verdict, o_codes,
            p_rules_hash, v_before, p_commitment, v_now);
    INSERT INTO bodies (delivery, salt, body, patch) VALUES (p_delivery, p_salt, p_body, p_patch);

    IF p_confirms IS NOT NULL THEN
        UPDATE work w SET state = 'planned', due = v_now, settled_at = NULL, outcome = NULL
         WHERE w.subject = o_subject AND w.hook = ANY (p_confirms)
           AND (w.application IS NOT DISTINCT FROM p_application)
           AND (w.state = 'waiting' OR w.outcome = 'unconfirmed');
    END IF;
    IF cardinality(p_activities) > 0 AND o_subject IS NOT NULL THEN
        INSERT INTO work (delivery, activity, tenant, subject, seq, hook, application, lane, plan, state, outcome, due,
                          settled_at)
        SELECT p_delivery, u.activity, p_tenant, o_subject, o_seq, p_hook, p_application, u.lane, u.plan,
               CASE WHEN o_suspected THEN 'settled' WHEN u.waits THEN 'waiting' ELSE 'planned' END,
               CASE WHEN o_suspected THEN 'duplicate' END, v_now + u.delay, CASE WHEN o_suspected THEN v_now END
          FROM unnest(p_activities, p_lanes, p_plans, p_delays, p_waits) AS u (activity, lane, plan, delay, waits);
        IF NOT o_suspected THEN o_planned := cardinality(p_activities); END IF;
        IF p_sealed IS NOT NULL AND NOT o_suspected THEN
            INSERT INTO vault (delivery, sealed, expires_at) VALUES (p_delivery, p_sealed, v_now + p_sealed_for);
        END IF;
    END IF;

    INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for, code_version,
                         rules_hash, detail, commitment)
    SELECT v_now, p_tenant, o_subject, p_delivery, o_seq, p_hook, p_application, o.outcome, p_actor, p_acting_for,
           p_code_version, p_rules_hash,
           CASE WHEN cardinality(o_codes) > 0 THEN jsonb_build_object('attributes', o_codes) ELSE '{}'::jsonb END, p_commitment
      FROM unnest(ARRAY[CASE WHEN o_suspected THEN 'suspected duplicate' ELSE o_verdict END] || v_notes) AS o (outcome);
    IF p_note_outcomes IS NOT NULL OR cardinality(v_would) > 0 THEN
        INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, outcome, actor, acting_for, code_version,
                             rules_hash, detail, commitment)
        SELECT v_now, p_tenant, o_subject, p_delivery, o_seq, p_hook, p_application, o.outcome, p_actor, p_acting_for,
               p_code_version, p_rules_hash, o.detail, p_commitment
          FROM unnest(p_note_outcomes || CASE WHEN cardinality(v_would) > 0 THEN ARRAY['would refuse'] ELSE '{}' END,
                      p_note_details || CASE WHEN cardinality(v_would) > 0
                                             THEN ARRAY[jsonb_build_object('attributes', v_would)] ELSE '{}' END) AS o (outcome, detail);
    END IF;
END
$$;
