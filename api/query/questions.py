"""Every question of the ledger as a call: one loop over them, no code per question."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from api.query.bounds import Exports
from api.query.cursor import BadCursor, Cursors
from api.query.desk import Call, Handler
from api.query.formats import MEDIA_TYPES, Page, Stream, form_of
from api.query.openapi import Route, shape_of
from api.query.parameters import BadParameters, from_query, read
from api.query.whose import NotTheirs, may_read, of_a_tenant
from ledger.answer import BadToken, Streamed, answer, stream
from ledger.clock import store_time
from ledger.engine import Engine
from ledger.questions import Question, questions
from ledger.questions.parameters import Parameters
from runtime.reading import reader
from settings import Settings

PREFIX = "/ledger"
_PAGE, _LARGEST = 100, 1000
_whole = TypeAdapter(int)

PAGING: Mapping[str, Mapping[str, Any]] = {
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": _LARGEST,
        "default": _PAGE,
        "description": "Rows of a page. Streams have all rows.",
    },
    "cursor": {
        "type": "string",
        "description": "`next` of the page before; it says already what was asked, so nothing else is given.",
    },
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call asks, of whose ledger, and from where on."""

    given: dict[str, Any]
    parameters: Parameters
    limit: int
    after: str | None


class Questions:
    """The calls that read."""

    def __init__(self, settings: Settings, engine: Engine, exports: Exports) -> None:
        self._tenants = settings.tenants
        self._engine = engine
        self._cursors = Cursors(settings.fingerprint_key)
        self._exports = exports

    def routes(self) -> Iterator[Route]:
        """By GET; and by POST, for those whose proxies keep the addresses that were asked for."""
        yield Route("GET", PREFIX, "questions", "What can be asked", "auditor", self.listing)
        for question in questions().values():
            for method in ("GET", "POST"):
                yield Route(
                    method,
                    f"{PREFIX}/{question.name}",
                    question.name,
                    question.title,
                    "auditor",
                    self.handler(question),
                    shape_of(question.parameters, PAGING, optional="tenant"),
                    tuple(MEDIA_TYPES),
                    question.words,
                )

    async def listing(self, call: Call) -> Response:
        """All questions, with what may be asked of them and what they answer."""
        return Page(
            {
                "you": call.principal.actor,
                "tenants": may_read(call.principal, self._tenants),
                "questions": [
                    {
                        "name": question.name,
                        "path": f"{PREFIX}/{question.name}",
                        "title": question.title,
                        "words": question.words,
                        "personal": question.personal,
                        "parameters": shape_of(question.parameters, PAGING, optional="tenant"),
                        "columns": [
                            {"name": c.name, "kind": c.kind, "description": c.description}
                            for c in question.columns
                        ],
                    }
                    for question in questions().values()
                ],
            }
        )

    def handler(self, question: Question) -> Handler:
        """The call that answers this question."""

        async def handler(call: Call) -> Response:
            form = form_of(call.request.headers.get("accept"))
            asked = self._asked(question, call)
            if form == "json":
                return await self._page(question, await self._as_of_now(question, asked), call)
            if asked.after is not None:
                raise BadParameters("cursor: pages are of JSON; a stream has all rows.")
            columns = [column.name for column in question.columns]
            return Stream(form, question.name, columns, self._export(question, asked.parameters, call))

        return handler

    async def _as_of_now(self, question: Question, asked: _Asked) -> _Asked:
        """With an end in time. Each page is an entry itself: without an end, pages could go on for ever."""
        if "until" not in question.parameters.model_fields or asked.given.get("until") is not None:
            return asked
        given = asked.given | {"until": (await store_time(self._engine)).isoformat()}
        return replace(asked, given=given, parameters=read(question.parameters, given))

    async def _page(self, question: Question, asked: _Asked, call: Call) -> Response:
        try:
            page = await answer(
                self._engine,
                question,
                asked.parameters,
                reader(call.principal.actor),
                after=asked.after,
                limit=asked.limit,
            )
        except BadToken:
            raise BadCursor from None
        following, headers = None, {}
        if page.next is not None:
            position = {"asked": asked.given, "limit": asked.limit, "after": page.next}
            following = self._cursors.seal(question.name, position)
            headers = {"Link": f'<{PREFIX}/{question.name}?cursor={following}>; rel="next"'}
        return Page({"report": page.report.as_object(), "rows": page.rows, "next": following}, headers)

    @asynccontextmanager
    async def _export(
        self, question: Question, parameters: Parameters, call: Call
    ) -> AsyncGenerator[Streamed]:
        with self._exports.held():
            async with stream(self._engine, question, parameters, reader(call.principal.actor)) as coming:
                yield coming

    def _asked(self, question: Question, call: Call) -> _Asked:
        given = dict(from_query(call.request.query_params))
        if call.body is not None:
            if given:
                raise BadParameters("Parameters of a POST stand in its body.")
            given = dict(call.body)
        cursor, limit, after = given.pop("cursor", None), given.pop("limit", None), None
        if cursor is not None:
            if given:
                raise BadParameters("cursor: says already what was asked; give nothing else but limit.")
            position = self._cursors.open(question.name, str(cursor))
            given, after = position["asked"], position["after"]
            limit = position["limit"] if limit is None else limit
        try:
            given = of_a_tenant(given, call.principal, self._tenants)
        except NotTheirs:
            if cursor is None:
                raise
            # Somebody else's, or that of a caller who has been given less since.
            raise BadCursor from None
        try:
            most = _PAGE if limit is None else _whole.validate_python(limit)
        except ValidationError:
            most = 0
        if not 1 <= most <= _LARGEST:
            raise BadParameters(f"limit: must be a whole number from 1 to {_LARGEST}.")
        return _Asked(given, read(question.parameters, given), most, after)
