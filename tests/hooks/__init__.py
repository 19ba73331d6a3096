"""Tests of the package hooks."""
