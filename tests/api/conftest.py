"""One edge for the tests of this directory."""

from tests.api.fixtures import edge, log, nothing_leaks

__all__ = ["edge", "log", "nothing_leaks"]
