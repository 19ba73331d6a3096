"""Whose rows the store shows: a second wall between tenants, behind each statement's own condition (docs/adr/0031)."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

SETTING = "hookledger.tenants"
"""What the policies of the store read."""
EVERYTHING = "*"
NOTHING = ""

_seen: ContextVar[str] = ContextVar("tenants that are seen", default=NOTHING)


def see(*tenants: str) -> None:
    """From now on this task sees these tenants' rows on engines that are walled, and no others."""
    _seen.set(" ".join(tenants))


@contextmanager
def seeing(tenants: str) -> Generator[None]:
    """Within the block."""
    before = _seen.set(tenants)
    try:
        yield
    finally:
        _seen.reset(before)


def seen() -> str:
    """As the setting has it."""
    return _seen.get()
