"""The listener of questions, on a store of each test's own."""

from tests.api.query.conftest import desk, settings, store

__all__ = ["desk", "settings", "store"]
