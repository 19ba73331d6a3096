"""Answers any question, by the page or as a stream, and writes down who read what before it hands out a row."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from ledger.access import BEGUN, BROKEN_OFF, READ, record_access
from ledger.dropped import dropped_before
from ledger.named import ever_named, logins
from ledger.questions.parameters import AboutPerson, Parameters
from ledger.questions.question import Kind, Question
from ledger.report import Report, Row, Tally, plain

PAGE = 100
_BATCH = 1000
"""Rows of a stream that are in memory at a time."""


class BadToken(ValueError):
    """A page's token that is of another question, of other parameters, or of nobody's making."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and what the ledger cannot know by itself. `runtime.reading.reader()` makes one."""

    actor: str
    """As it shall stand in the entry: os:NAME, key:ID, oidc:SUB."""
    code_version: str
    login: Callable[[str], str]
    """A login's normal form."""
    hooks: Sequence[str]
    """All that the platform can send."""
    facts: Sequence[str]
    """Those that change what is known."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order. `next` asks for those behind them; None: there are no more."""

    rows: list[Row]
    next: str | None
    report: Report


async def answer(
    engine: AsyncEngine,
    question: Question,
    parameters: Parameters,
    reader: Reader,
    *,
    after: str | None = None,
    limit: int = PAGE,
) -> Page:
    """The rows behind `after`, at most `limit`. Raises BadToken, and ledger.engine.EngineErrors.

    If they tell of persons, the entry that says so is committed before they are given.
    """
    asked = await _ask(engine, question, parameters, reader)
    begin = question.first() if after is None else _from_token(asked, after)
    tally = Tally()
    async with _looking(engine) as connection:
        found = await connection.execute(text(question.sql), asked.values(begin, limit + 1))
        rows = await _finished(connection, question, found.mappings().all())
    more, rows = len(rows) > limit, rows[:limit]
    for row in rows:
        tally.add(row)
    report = asked.report(tally, None)
    if question.personal:
        report = replace(report, receipt=await asked.record(engine, READ, tally))
    return Page(rows, _to_token(asked, rows[-1]) if more else None, report)


@dataclass(slots=True)
class Streamed:
    """All rows of an answer, in batches. `report` is whole once they have been read to the end."""

    batches: AsyncIterator[list[Row]]
    report: Report


@asynccontextmanager
async def stream(
    engine: AsyncEngine, question: Question, parameters: Parameters, reader: Reader
) -> AsyncGenerator[Streamed]:
    """All rows as of one moment, in constant memory here and in the store. Raises ledger.engine.EngineErrors.

    If they tell of persons, an entry says so before the first is given, and another how many were at the end, also
    when the block is left before it.
    """
    asked = await _ask(engine, question, parameters, reader)
    tally, receipt, whole = Tally(), None, False
    if question.personal:
        receipt = await asked.record(engine, BEGUN)
    try:
        async with _looking(engine) as connection:

            async def batches() -> AsyncGenerator[list[Row]]:
                nonlocal whole
                statement = text(question.sql).execution_options(yield_per=_BATCH)
                result = await connection.stream(statement, asked.values(question.first(), None))
                async for found in result.mappings().partitions(_BATCH):  # mappings() forgets yield_per
                    rows = await _finished(connection, question, found)
                    for row in rows:
                        tally.add(row)
                    streamed.report = asked.report(tally, receipt)
                    yield rows
                whole = True

            rest = batches()
            streamed = Streamed(rest, asked.report(tally, receipt))
            try:
                yield streamed
            finally:
                await rest.aclose()
    finally:
        if receipt is not None:
            await asked.record(engine, READ if whole else BROKEN_OFF, tally, receipt)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with everything that its SQL and its entries need."""

    question: Question
    parameters: Parameters
    reader: Reader
    people: tuple[UUID, ...] | None
    at: datetime
    notes: tuple[str, ...]

    def values(self, begin: Sequence[Any], limit: int | None) -> dict[str, Any]:
        known = {
            "people": list(self.people or ()),
            "hooks": list(self.reader.hooks),
            "facts": list(self.reader.facts),
        }
        used = {name: value for name, value in known.items() if f":{name}" in self.question.sql}
        after = {f"after_{name}": value for name, value in zip(self.question.key, begin, strict=True)}
        return self.parameters.values() | used | after | {"limit": limit}

    def report(self, tally: Tally, receipt: UUID | None) -> Report:
        return Report(
            question=self.question.name,
            title=self.question.title,
            parameters=self.parameters.model_dump(mode="json", exclude_none=True),
            people=self.people,
            asked_at=self.at,
            rows=tally.rows,
            sha256=tally.sha256,
            receipt=receipt,
            notes=self.notes,
        )

    async def record(
        self, engine: AsyncEngine, outcome: str, tally: Tally | None = None, receipt: UUID | None = None
    ) -> UUID:
        told = self.parameters.told()
        del told["tenant"]
        detail: dict[str, Any] = {"question": self.question.name, "parameters": told}
        if tally is not None:
            detail |= {"rows": tally.rows, "sha256": tally.sha256}
        async with engine.begin() as connection:
            return await record_access(
                connection,
                tenant=self.parameters.tenant,
                actor=self.reader.actor,
                code_version=self.reader.code_version,
                outcome=outcome,
                people=self.people or (),
                detail=detail,
                receipt=receipt or uuid7(),
            )

    @property
    def mark(self) -> str:
        """Tells a token of another question, or of other parameters, from one of this."""
        told = json.dumps([self.question.name, self.parameters.model_dump(mode="json")], sort_keys=True)
        return blake2b(told.encode(), digest_size=8).hexdigest()


async def _ask(engine: AsyncEngine, question: Question, parameters: Parameters, reader: Reader) -> _Asked:
    people = None
    async with _looking(engine) as connection:
        if isinstance(parameters, AboutPerson):
            names = {parameters.person, reader.login(parameters.person)}
            people = tuple(await ever_named(connection, names, parameters.tenant))
        before = await dropped_before(connection, [parameters.tenant])
    notes = tuple(_note(class_, day) for class_, day in before.items() if _begins(parameters) < day)
    return _Asked(question, parameters, reader, people, datetime.now(UTC), notes)


def _begins(parameters: Parameters) -> date:
    """The first day that is asked about; the beginning of time where none is named."""
    values = parameters.values()
    begin = values.get("since") or values.get("on") or date.min
    return begin.date() if isinstance(begin, datetime) else begin


def _note(class_: str, before: date) -> str:
    """Said with every answer that reaches back so far: what is not there any more is no zero."""
    return f"{class_} from before {before} were dropped by retention, but for what was still needed: rows and counts lack them"


@asynccontextmanager
async def _looking(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """One moment's view of the store. Plans are made for what is asked: how much there is of it differs by far."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        await connection.execute(_READING)
        yield connection


_READING = text(
    "SELECT set_config('transaction_read_only', 'on', true), set_config('plan_cache_mode', 'force_custom_plan', true),"
    " set_config('jit', 'off', true)"
)


async def _finished(connection: AsyncConnection, question: Question, found: Sequence[Any]) -> list[Row]:
    """Rows with all columns, in their order: what people are called is looked up for all of them at once."""
    names = [column.name for column in question.columns]
    called = await logins(connection, (row["subject"] for row in found)) if "login" in names and found else {}
    return [
        {name: called.get(row["subject"]) if name == "login" else row[name] for name in names}
        for row in found
    ]


def _to_token(asked: _Asked, row: Row) -> str:
    told = json.dumps(
        [asked.mark, [row[name] for name in asked.question.key]], default=plain, separators=(",", ":")
    )
    return base64.urlsafe_b64encode(told.encode()).rstrip(b"=").decode()


def _from_token(asked: _Asked, token: str) -> tuple[Any, ...]:
    key = asked.question.key
    try:
        mark, values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if mark == asked.mark:
            return tuple(_value(asked.question.kind(name), v) for name, v in zip(key, values, strict=True))
    except (ValueError, TypeError):
        pass
    raise BadToken("that token is not of this question with these parameters: begin without it")


def _value(kind: Kind, value: Any) -> Any:
    match kind:
        case "time":
            return datetime.fromisoformat(value)
        case "day":
            return date.fromisoformat(value)
        case "id" | "person":
            return UUID(value)
        case "number":
            return int(value)
        case _:
            return str(value)
