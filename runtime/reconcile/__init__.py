"""Compares the platform's user list with what hooks told us, and records what was missed."""
