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
    DO UPDATE SET state = 'granted', uid = coalesce(excluded.uid, e.uid), ending_since = NULL
"""

END = """
    UPDATE entitlements SET state = 'ended confirmed', until = :at, closed_by = CAST(CAST(:delivery AS text) AS uuid)
     WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND application = :application AND until IS NULL
       AND (CAST(:role AS text) IS NULL OR role = :role)
"""

ENDING = """
    UPDATE entitlements SET state = 'ending', ending_since = :at
     WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND until IS NULL AND state = 'granted'
       AND (CAST(:application AS text) IS NULL OR application = :application)
"""

# What is `fresh` was not there in the record before; the rest is opened only if nothing was ever known of it: a record
# that still lists what the platform has told the end of must not open it again.
LISTED = """
    INSERT INTO entitlements (tenant, subject, application, role, state, uid, since, opened_by)
    SELECT :tenant, CAST(CAST(:subject AS text) AS uuid), u.application, u.role, 'granted', u.uid, :at,
           CAST(CAST(:delivery AS text) AS uuid)
      FROM unnest(CAST(:applications AS text[]), CAST(:roles AS text[]), CAST(:uids AS text[]), CAST(:fresh AS boolean[]))
           AS u (application, role, uid, fresh)
     WHERE NOT EXISTS (SELECT 1 FROM entitlements x
                        WHERE x.subject = CAST(CAST(:subject AS text) AS uuid) AND x.application = u.application
                          AND x.role = u.role AND (NOT u.fresh OR x.until IS NULL OR x.until >= :at))
     ORDER BY u.application, u.role
    ON CONFLICT (subject, application, role) WHERE until IS NULL DO NOTHING
"""

INFERRED_END = """
    UPDATE entitlements e
       SET state = 'ended inferred', until = :at, closed_by = CAST(CAST(:delivery AS text) AS uuid)
      FROM unnest(CAST(:applications AS text[]), CAST(:roles AS text[])) AS u (application, role)
     WHERE e.subject = CAST(CAST(:subject AS text) AS uuid) AND e.until IS NULL AND e.since < :at
       AND e.application = u.application AND (u.role = '' OR e.role = u.role)
"""

# Open for good, as far as anybody knows: it counts as held until something tells its end.
UNKNOWN = """
    UPDATE entitlements SET state = 'unknown'
     WHERE subject = CAST(CAST(:subject AS text) AS uuid) AND until IS NULL AND since <= :at
"""
