"""Tests of the activities and of what binds them."""
