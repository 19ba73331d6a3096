"""What the tenant of a chaos run does for its people, found by HOOKLEDGER_ACTIVITIES=chaos.activities."""

SCHEMA = """
CREATE TABLE chaos_effects (
    key text NOT NULL,
    activity text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON chaos_effects TO hookledger_app;
"""
"""Without a key that is unique: a doubled effect shall be seen, not prevented."""
INSERT = "INSERT INTO chaos_effects (key, activity) VALUES (:key, :activity)"
