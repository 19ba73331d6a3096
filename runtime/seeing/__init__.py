"""How a process is doing, seen from outside: metrics and health on a listener of their own."""

from runtime.seeing.watched import watched

__all__ = ["watched"]
