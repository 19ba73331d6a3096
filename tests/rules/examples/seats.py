"""Decisions that behave well, fail, and take too long."""

import asyncio

from decisions import Asked, DecisionTools, decision


@decision
async def no_seat(asked: Asked, tools: DecisionTools) -> bool:
    """Refuses everybody whose department is full."""
    return asked.user.get("department") == "Full"


@decision
async def breaks(asked: Asked, tools: DecisionTools) -> bool:
    """Fails, with the user in the text of its error."""
    raise RuntimeError(str(asked.user))


@decision
async def dawdles(asked: Asked, tools: DecisionTools) -> bool:
    """Takes longer than it may."""
    await asyncio.sleep(60)
    return True


@decision
async def cost_centre(asked: Asked, tools: DecisionTools) -> dict[str, str]:
    """Gives a cost centre."""
    return {"attributes.costCentre": "CC-10"}
