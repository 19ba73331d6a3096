"""Decisions of the tests are found by every test of the rules."""

from collections.abc import Generator

import pytest

from decisions._registry import registry


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("HOOKLEDGER_DECISIONS", "tests.rules.examples")
    registry.cache_clear()
    yield
    registry.cache_clear()
