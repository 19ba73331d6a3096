"""A small world that every question has something to say of, and a way to ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.answer import Page, Reader, answer, stream
from ledger.questions import questions
from ledger.report import Row
from rules.normal import login

HOOKS = (
    "postCreateUser",
    "postProvision",
    "postUpdateUser",
    "preProvision",
    "runDeprovision",
    "validateUser",
)
FACTS = ("postCreateUser", "postProvision", "postUpdateUser")
AUDITOR = Reader(actor="key:auditor", code_version="test", login=login, hooks=HOOKS, facts=FACTS)


async def ask(engine: AsyncEngine, name: str, *, limit: int = 1000, **given: Any) -> list[Row]:
    """All rows of one page, of the tenant as100 unless another is given."""
    return (await page(engine, name, limit=limit, **given)).rows


async def page(
    engine: AsyncEngine, name: str, *, after: str | None = None, limit: int = 1000, **given: Any
) -> Page:
    """One page."""
    question = questions()[name]
    parameters = question.parameters.model_validate({"tenant": "as100"} | given)
    return await answer(engine, question, parameters, AUDITOR, after=after, limit=limit)


async def streamed(engine: AsyncEngine, name: str, **given: Any) -> tuple[Sequence[Row], Mapping[str, Any]]:
    """All rows by stream, and the report."""
    question = questions()[name]
    parameters = question.parameters.model_validate({"tenant": "as100"} | given)
    async with stream(engine, question, parameters, AUDITOR) as coming:
        rows = [row async for batch in coming.batches for row in batch]
        return rows, coming.report.as_object()
