"""Tests of the package api.console."""
