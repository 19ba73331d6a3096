"""Decisions of these tests, found through HOOKLEDGER_DECISIONS."""
