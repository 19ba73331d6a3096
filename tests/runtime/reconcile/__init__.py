"""Reconciliation against a platform on a real socket, with the real store."""
