"""A question as somebody asks it on pages: sealed in addresses, so that no log or history keeps whom it was about."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import QueryParams

from api.problems import Problem
from api.query.cursor import BadCursor, Cursors
from api.query.parameters import read
from ledger.answer import BadToken, Page, answer
from ledger.clock import store_time
from ledger.engine import Engine
from ledger.questions import Question
from ledger.questions.parameters import Parameters
from runtime.reading import reader


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of whose ledger, and after what to go on."""

    given: dict[str, Any]
    parameters: Parameters
    after: str | None = None


class Asking:
    """Reads, seals and answers; each answer is the same as the API's, and as much an entry."""

    def __init__(self, engine: Engine, cursors: Cursors) -> None:
        self._engine = engine
        self._cursors = cursors

    def read(self, question: Question, tenant: str, given: Mapping[str, Any]) -> Asked:
        """What a form or an address says; fields left empty are not given. Raises BadParameters."""
        kept = {name: value for name, value in given.items() if value != ""}
        return Asked(kept, read(question.parameters, kept | {"tenant": tenant}))

    def open(self, question: Question, tenant: str, sealed: str) -> Asked:
        """What an address of ours says. Raises BadCursor, also for one of another tenant."""
        position = self._cursors.open(_of_pages(question), sealed)
        if position["tenant"] != tenant:
            raise BadCursor
        return replace(self.read(question, tenant, position["asked"]), after=position["after"])

    def from_address(self, question: Question, tenant: str, params: QueryParams) -> Asked | None:
        """What is asked by an address; None: nothing yet. Raises Problem."""
        if sealed := params.get("asked"):
            return self.open(question, tenant, sealed)
        plain = {name: value for name, value in params.items() if name not in ("all", "ask")}
        # What needs no parameter is answered at once.
        needs = any(f.is_required() for n, f in question.parameters.model_fields.items() if n != "tenant")
        return None if needs and not plain else self.read(question, tenant, plain)

    def seal(self, question: Question, tenant: str, asked: Asked) -> str:
        """For an address."""
        position = {"tenant": tenant, "asked": asked.given, "after": asked.after}
        return self._cursors.seal(_of_pages(question), position)

    async def answer(self, question: Question, asked: Asked, actor: str, limit: int) -> tuple[Asked, Page]:
        """A page of it, and what was asked with its end in time: each page is an entry, which a later one must not meet."""
        if asked.given.get("until") is None and "until" in question.parameters.model_fields:
            until = (await store_time(self._engine)).isoformat()
            given = asked.given | {"until": until}
            tenant = asked.parameters.tenant
            asked = replace(self.read(question, tenant, given), after=asked.after)
        try:
            page = await answer(
                self._engine, question, asked.parameters, reader(actor), after=asked.after, limit=limit
            )
        except BadToken:
            raise BadCursor from None
        return asked, page


def known(questions: Mapping[str, Question], name: str) -> Question:
    """The question of that name. Raises Problem 404."""
    if name not in questions:
        raise Problem(
            404, "no_such_question", "There is no such question: the menu lists all that there are."
        )
    return questions[name]


def _of_pages(question: Question) -> str:
    return f"console: {question.name}"
