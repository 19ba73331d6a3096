"""Activities as a tenant would write them, for the tests: found by HOOKLEDGER_ACTIVITIES."""
