"""Runs some look-ups at once, and leaves none of them behind when one goes wrong."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 8
"""People looked up at the same time."""


async def together(tasks: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. The first error is raised, but only when nothing is under way any more."""
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ended:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ended if not isinstance(end, BaseException)]
