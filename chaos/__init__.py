"""Breaks a running Hookledger at random and holds what it answered against its ledger."""
