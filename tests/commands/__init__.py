"""Tests of the commands, run as a user would, on real servers."""
