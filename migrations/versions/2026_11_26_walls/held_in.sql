-- Who had an application at any moment of a span. The search among intervals is by an operator of ranges, which Postgres
-- does not trust to run before a wall; so this passes the wall as the owner does, and looks at it first by itself.
CREATE FUNCTION held_in(p_tenant text, p_application text, p_begin timestamptz, p_end timestamptz)
RETURNS SETOF entitlements LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.* FROM entitlements t
     WHERE held(t.tenant, t.application, t.since, t.until) && held(p_tenant, p_application, p_begin, p_end)
       AND t.tenant = p_tenant AND t.application = p_application
       AND t.since < p_end AND (t.until IS NULL OR t.until > p_begin)
       AND string_to_array(current_setting('hookledger.tenants', true), ' ') && ARRAY[p_tenant, '*']
$$;
REVOKE EXECUTE ON FUNCTION held_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION held_in TO hookledger_app;
