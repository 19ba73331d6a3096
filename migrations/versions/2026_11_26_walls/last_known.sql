-- The body of the last fact about a person, that of the fact before it, and the last one's age. By platform id, else by login
-- in normal form. A function, so that the tenant is named to the wall in the same round trip.
CREATE FUNCTION last_known(
    p_tenant text, p_platform_id text, p_login text, OUT o_body text, OUT o_previous text, OUT o_age interval
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('hookledger.tenants', p_tenant, true);
    SELECT b.body, p.body, clock_timestamp() - d.received_at INTO o_body, o_previous, o_age
      FROM handles h
      JOIN identities i ON i.subject = h.subject
      JOIN deliveries d ON d.id = i.delivery
      JOIN bodies b ON b.delivery = d.id
      LEFT JOIN bodies p ON p.delivery = d.before
     WHERE h.tenant = p_tenant AND h.until IS NULL
       AND ((h.kind = 'id' AND h.value = p_platform_id) OR (h.kind = 'login' AND h.value = p_login))
     ORDER BY h.kind LIMIT 1;
END
$$;
