GRANT USAGE ON SCHEMA public TO hookledger_app, hookledger_keeper;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO hookledger_app, hookledger_keeper;
GRANT INSERT ON ALL TABLES IN SCHEMA public TO hookledger_app;
GRANT UPDATE, DELETE ON
    subjects, handles, work, identities, known_values, holds, entitlements, vault, brakes, refusals, recent, rings, faults,
    activity_names
    TO hookledger_app;
GRANT UPDATE, DELETE ON bodies, faults, handles, identities, known_values, holds, vault TO hookledger_keeper;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM hookledger_app;
