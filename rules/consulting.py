"""Asks decisions in Python, all at once, within their time."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from rules.decision import DecisionTools, PythonDecision
from rules.expressions import Asked, Nothing
from rules.kinds import CompiledRule

log = logging.getLogger(__name__)


async def consult(
    rules: Sequence[CompiledRule], asked: Asked, tools: DecisionTools, patience: float
) -> dict[str, Any]:
    """What each rule's function gives; Nothing where it fails or takes longer than `patience` seconds.

    Each sees the user as sent, not what other rules change.
    """
    given = await asyncio.gather(*(_ask(rule, asked, tools, patience) for rule in rules))
    return {rule.name: value for rule, value in zip(rules, given, strict=True)}


async def _ask(rule: CompiledRule, asked: Asked, tools: DecisionTools, patience: float) -> Any:
    decision: PythonDecision | None = rule.decision
    if decision is None or not _applies(rule, asked):
        return None
    try:
        async with asyncio.timeout(patience):
            return await decision.run(asked, tools)
    except TimeoutError:
        words = f"took longer than {patience:g} s"
    except Exception as wrong:  # only the type: its text may hold the user
        words = f"raised {type(wrong).__name__}"
    log.error("decision %s of rule %s %s", decision.name, rule.name, words)
    return Nothing(words, fault=True)


def _applies(rule: CompiledRule, asked: Asked) -> bool:
    try:
        return rule.when is None or rule.when.holds(asked)
    except Nothing:
        return False
