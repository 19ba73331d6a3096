"""A decision that never comes in time."""

import asyncio

from decisions import Asked, DecisionTools, decision


@decision
async def slow_licence(_asked: Asked, _tools: DecisionTools) -> bool:
    """Waits for a licence server that is hung."""
    await asyncio.sleep(60)
    return False
