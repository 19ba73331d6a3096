"""Decisions in Python, for tests."""
