"""The statements with which the built-in activities keep the person's state and entitlements."""

STAGE = """
    UPDATE identities SET stage = :stage WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND seq <= :seq
"""

GRANT = """
    INSERT INTO entitlements AS e (tenant, subject, application, role, state, uid, since, opened_by)
    SELECT :tenant, CAST(CAST(:subject AS text) AS uuid), :application, r, 'granted', :uid, :at,
           CAST(CAST(:delivery AS text) AS uuid)
      FROM unnest(CAST(:roles AS text[])) AS r ORDER BY r
    ON CONFLICT (subject, application, role) WHERE until IS NULL
    DO UPDATE SET state = 'granted', uid = coalesce(excluded.uid, e.uid)
"""

END = """
    UPDATE entitlements SET state = 'ended confirmed', until = :at, closed_by = CAST(CAST(:delivery AS text) AS uuid)
     WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND application = :application AND until IS NULL
       AND (CAST(:role AS text) IS NULL OR role = :role)
"""

ENDING = """
    UPDATE entitlements SET state = 'ending'
     WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND until IS NULL AND state = 'granted'
       AND (CAST(:application AS text) IS NULL OR application = :application)
"""
