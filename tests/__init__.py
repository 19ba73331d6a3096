"""Tests: mirror the source; real Postgres and real Temporal, each started once per run."""
