"""The three tenant activities of a storm, found by HOOKLEDGER_ACTIVITIES=bench.activities."""

SCHEMA = """
CREATE TABLE bench_effects (
    key text PRIMARY KEY,
    activity text NOT NULL,
    login text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON bench_effects TO hookledger_app;
"""
INSERT = "INSERT INTO bench_effects (key, activity, login) VALUES (:key, :activity, :login)"
"""Without ON CONFLICT: a doubled effect shall fail loudly."""
