"""Tests of the package api.query."""
