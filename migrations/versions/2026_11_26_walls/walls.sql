-- A second wall between tenants (docs/adr/0031). What stands in hookledger.tenants decides what hookledger_app sees and
-- may write: names of tenants with blanks between them, * for all of them; nothing as long as nobody has said anything.
--
-- Read for each row where few rows are met, as in receive(): that costs least to begin with. Once for a statement, by
-- sub-selects, where many are read.
--
-- The owner passes, as do its functions and pg_dump; the keeper erases for all tenants.
DO $$
DECLARE
    c_set constant text := $q$current_setting('hookledger.tenants', true)$q$;
    c_all constant text := format($q$(SELECT %s) = '*'$q$, c_set);
    c_each constant text := format($q$%1$s = tenant OR %1$s = '*' OR tenant = ANY (string_to_array(%1$s, ' '))$q$, c_set);
    c_once constant text := format($q$%s OR tenant = ANY ((SELECT string_to_array(%s, ' '))::text[])$q$, c_all, c_set);
    v_table text;
    v_wall text;
    v_new text;
BEGIN
    FOR v_table, v_wall, v_new IN
        SELECT t, c_each, c_each
          FROM unnest(ARRAY['brakes', 'deed_requests', 'entitlements', 'erasures', 'erasures_due', 'gaps', 'handles', 'holds',
                            'identities', 'imports', 'incidents', 'keys', 'known_values', 'legal_holds', 'lookups',
                            'name_counts', 'names', 'platform_calls', 'refusals', 'rule_texts', 'subjects', 'watched',
                            'work']) AS t
        UNION ALL
        SELECT t, c_once, c_each FROM unnest(ARRAY['deliveries', 'entries']) AS t
        UNION ALL
        -- A switch of * holds for every tenant.
        VALUES ('switches', $q$tenant = '*' OR $q$ || c_each, c_each),
               ('sessions', c_all, c_all),
               ('import_findings', c_all || $q$ OR EXISTS (SELECT 1 FROM imports i WHERE i.id = import)$q$,
                                   c_all || $q$ OR EXISTS (SELECT 1 FROM imports i WHERE i.id = import)$q$)
        UNION ALL
        -- They belong to a delivery, which has a wall itself. What is added is bound to it by its commitment or its work,
        -- and looking for the delivery would cost every hook.
        SELECT t, c_all || ' OR EXISTS (SELECT 1 FROM deliveries d WHERE d.id = delivery)', 'true'
          FROM unnest(ARRAY['bodies', 'faults', 'vault']) AS t
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY tenants ON %I TO hookledger_app USING (%s) WITH CHECK (%s)', v_table, v_wall, v_new);
        EXECUTE format('CREATE POLICY keeper ON %I TO hookledger_keeper USING (true)', v_table);
    END LOOP;

    -- An import copies into tables of its own and inserts from there: COPY does not go into a table with policies.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO hookledger_app', current_database());
END
$$;
