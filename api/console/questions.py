"""One page per question: its form, its answer as a table, the next rows, and the whole as a file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal
from urllib.parse import urlencode

from starlette.responses import Response

from api.console.asking import Asked, Asking, known
from api.console.fields import fields
from api.console.gate import HOME, Gate, Visit, to
from api.console.pages import guarded
from api.problems import Problem
from api.query.bounds import Exports
from api.query.formats import Stream
from api.query.parameters import BadParameters
from ledger.answer import Streamed, stream
from ledger.engine import Engine
from ledger.questions import Question, questions
from runtime.reading import reader

_ROWS = 50
_FORMS: dict[str, Literal["csv", "lines"]] = {"csv": "csv", "jsonl": "lines"}


class QuestionPages:
    """All of them: there is no code per question."""

    def __init__(self, gate: Gate, engine: Engine, asking: Asking, exports: Exports) -> None:
        self._gate = gate
        self._engine = engine
        self._asking = asking
        self._exports = exports
        self._questions = questions()

    async def page(self, visit: Visit) -> Response:
        """The form, and the answer if the address says what is asked."""
        tenant, question = self._gate.tenant(visit), self._question(visit)
        params = visit.request.query_params
        try:
            asked = self._asking.from_address(question, tenant, params)
        except BadParameters as wrong:
            return self._form(visit, tenant, question, dict(params), wrong)
        if asked is None:
            return self._form(visit, tenant, question, {}, None)
        first = asked.given
        asked, page = await self._asking.answer(question, asked, visit.principal.actor, _ROWS)
        every = "all" in params
        whole = {"asked": self._asking.seal(question, tenant, replace(asked, after=None))}
        shown = whole | ({"all": "1"} if every else {})
        following = None
        if page.next is not None:
            sealed = self._asking.seal(question, tenant, replace(asked, after=page.next))
            following = f"?{urlencode({**shown, 'asked': sealed})}"
        return self._gate.pages.page(
            visit,
            "question.html",
            tenant,
            question=question,
            fields=list(fields(question.parameters, first)),
            columns=[c for c in question.columns if every or c.brief],
            hidden=0 if every else sum(not c.brief for c in question.columns),
            page=page,
            further=asked.after is not None,
            following=following,
            every=f"?{urlencode(whole | {'all': '1'})}",
            start=f"?{urlencode(shown)}",
            exports={form: f"{question.name}/{form}?{urlencode(whole)}" for form in _FORMS},
            wrong=None,
        )

    async def ask(self, visit: Visit) -> Response:
        """The form that was sent, as an address that tells nothing."""
        tenant, question = self._gate.tenant(visit), self._question(visit)
        given = {name: value for name, value in visit.form.items() if name != "proof"}
        try:
            asked = self._asking.read(question, tenant, given)
        except BadParameters as wrong:
            return self._form(visit, tenant, question, given, wrong)
        sealed = self._asking.seal(question, tenant, asked)
        return to(f"{HOME}/of/{tenant}/ask/{question.name}?{urlencode({'asked': sealed})}")

    async def export(self, visit: Visit) -> Response:
        """All rows, as the API streams them."""
        tenant, question = self._gate.tenant(visit), self._question(visit)
        form = _FORMS.get(visit.request.path_params["form"])
        asked = self._asking.from_address(question, tenant, visit.request.query_params)
        if form is None or asked is None:
            raise Problem(404, "not_found", "There is no such file.")
        columns = [column.name for column in question.columns]
        opening = self._stream(question, asked, visit.principal.actor)
        return guarded(Stream(form, question.name, columns, opening))

    @asynccontextmanager
    async def _stream(self, question: Question, asked: Asked, actor: str) -> AsyncGenerator[Streamed]:
        with self._exports.held():
            async with stream(self._engine, question, asked.parameters, reader(actor)) as coming:
                yield coming

    def _question(self, visit: Visit) -> Question:
        return known(self._questions, visit.request.path_params["question"])

    def _form(
        self, visit: Visit, tenant: str, question: Question, given: dict[str, str], wrong: Problem | None
    ) -> Response:
        return self._gate.pages.page(
            visit,
            "question.html",
            tenant,
            status=wrong.status if wrong else 200,
            question=question,
            fields=list(fields(question.parameters, given)),
            page=None,
            wrong=wrong.detail if wrong else None,
        )
