"""What a process does beside its work goes on after an error that nobody expected, and ends when the process does."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds after which a deed that went wrong begins anew."""
_ENDED_WITHIN = 2.0
"""Seconds for deeds to end once they are cancelled: nobody waits longer for them."""


@asynccontextmanager
async def beside(deeds: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    """Runs each deed, named for the log, until it returns or the block ends. Ending raises nothing."""
    running = [asyncio.create_task(_go_on(name, deed)) for name, deed in deeds.items()]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_ENDED_WITHIN)


async def guarded(name: str, deed: Callable[[], Awaitable[None]]) -> None:
    """Does it. Of an error the log has the type: its text may hold data."""
    try:
        await deed()
    except Exception as wrong:
        log.error("%s: fault %s", name, type(wrong).__name__)


async def _go_on(name: str, deed: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await deed()
        except Exception as wrong:
            log.error("%s: fault %s", name, type(wrong).__name__)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return None  # the error came of ending it, and took the place of the cancellation
        await asyncio.sleep(AGAIN)
