"""Rows in three forms: exactly what was read, in chunks, and nothing that a spreadsheet would run."""

import csv
import io
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from starlette.types import Message

from api.problems import Problem
from api.query.formats import RECEIPT, Form, Page, Stream, form_of
from ledger.answer import Streamed
from ledger.report import Report

ROW: dict[str, Any] = {
    "at": datetime(2026, 11, 25, 10, 0, 0, 7, tzinfo=UTC),
    "id": UUID(int=1),
    "login": 'josé, "x"\nзоя',
    "count": -3,
    "held": None,
    "detail": {"a": [1]},
    "codes": ["E"],
    "known": True,
}


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/x-ndjson", "lines"),
        ("application/jsonl", "lines"),
        ("text/csv", "csv"),
        ("text/*", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("text/html, text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("text/csv;q=0, */*;q=0.1", "json"),
    ],
)
def test_accept_is_heard(accept: str | None, form: Form) -> None:
    assert form_of(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=x", "x"])
def test_what_we_do_not_have_is_406(accept: str) -> None:
    with pytest.raises(Problem) as refused:
        form_of(accept)
    assert refused.value.status == 406


@asynccontextmanager
async def _batches(*batches: Sequence[Mapping[str, Any]]) -> AsyncGenerator[Streamed]:
    async def coming() -> AsyncGenerator[list[Mapping[str, Any]]]:
        for batch in batches:
            yield list(batch)

    report = Report("person", "", {}, None, datetime.now(UTC), 0, "", UUID(int=7))
    yield Streamed(coming(), report)


async def _sent(stream: Stream) -> tuple[dict[str, str], list[bytes]]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        raise AssertionError

    await stream({"type": "http"}, receive, send)
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    assert [m["more_body"] for m in messages[1:]] == [True] * (len(messages) - 2) + [False]
    return headers, [m["body"] for m in messages[1:]]


async def test_lines_of_json_are_exact() -> None:
    headers, bodies = await _sent(Stream("lines", "person", list(ROW), _batches([ROW], [], [ROW])))

    assert headers["content-type"] == "application/x-ndjson"
    assert headers["content-disposition"] == 'attachment; filename="person.jsonl"'
    assert "content-length" not in headers
    assert headers[RECEIPT] == str(UUID(int=7))
    [one, two] = b"".join(bodies).decode().splitlines()
    assert one == two
    assert json.loads(one) == ROW | {
        "at": "2026-11-25T10:00:00.000007+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
    }


async def test_csv_is_read_back_by_a_reader_and_runs_nothing() -> None:
    evil = ["=1+1", "+1", "-1", "@a", "\tx", "\rx"]
    rows = [ROW | {"login": text} for text in [ROW["login"], *evil, "plain"]]
    headers, bodies = await _sent(Stream("csv", "person", list(ROW), _batches(rows)))

    assert headers["content-type"] == "text/csv; charset=utf-8; header=present"
    found = list(csv.DictReader(io.StringIO(b"".join(bodies).decode(), newline="")))
    assert [row["login"] for row in found] == [ROW["login"], *(f"'{text}" for text in evil), "plain"]
    assert found[0] == {
        "at": "2026-11-25T10:00:00.000007+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "login": ROW["login"],
        "count": "-3",
        "held": "",
        "detail": '{"a":[1]}',
        "codes": '["E"]',
        "known": "true",
    }


async def test_nothing_found_is_a_heading_or_nothing() -> None:
    assert (await _sent(Stream("csv", "q", ["a", "b"], _batches([]))))[1] == [b"a,b\r\n"]
    assert (await _sent(Stream("lines", "q", ["a"], _batches())))[1] == [b""]


async def test_much_is_sent_in_chunks() -> None:
    _, bodies = await _sent(Stream("lines", "q", ["a"], _batches(*[[{"a": "x" * 1000}] * 100] * 20)))

    assert len(bodies) > 10
    assert max(map(len, bodies)) < 300_000


def test_a_page_keeps_characters_as_they_are() -> None:
    assert Page({"login": "зоя"}).body == '{"login":"зоя"}\n'.encode()
