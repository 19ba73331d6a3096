"""Any question is answered alike: by the page, as a stream, with a report, and with an entry that says who read."""

import uuid
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.answer import BadToken, answer, stream
from ledger.engine import Pool
from ledger.questions import questions
from ledger.receive import receive
from ledger.report import Row, line
from tests.ledger.asking import AUDITOR, ask, page, streamed
from tests.support import delivery, rows


@pytest.fixture
async def login(pool: Pool) -> str:
    """Somebody of whom seven deliveries came."""
    name = f"asha{uuid.uuid4().hex[:12]}"
    for _ in range(7):
        await receive(pool, delivery(name))
    return name


async def _accesses(pool: Pool, receipt: Any) -> Sequence[Row]:
    found = await rows(pool, "SELECT * FROM entries WHERE delivery = $1 ORDER BY id", receipt)
    assert all(row["hook"] == "access" for row in found)
    return found


async def test_pages_follow_each_other_and_end(engine: AsyncEngine, login: str) -> None:
    whole = await ask(engine, "person", person=login, until="2990-01-01")
    got: list[Row] = []
    token, pages = None, 0
    # Up to now: each page's reading is an entry about the person, too.
    until = (await ask(engine, "person", person=login))[-1]["at"]
    while True:
        one = await page(engine, "person", person=login, until=until, after=token, limit=3)
        got, token, pages = got + one.rows, one.next, pages + 1
        if token is None:
            break
    assert pages == 3
    assert [row["id"] for row in got] == [row["id"] for row in whole][: len(got)]
    assert [row["seq"] for row in got if row["seq"]] == [1, 2, 3, 4, 5, 6, 7]
    assert {row["login"] for row in got} == {login}


async def test_a_stream_gives_what_pages_give_and_the_hash_is_of_its_lines(
    engine: AsyncEngine, login: str
) -> None:
    one = await page(engine, "person", person=login)
    got, report = await streamed(engine, "person", person=login, until=one.rows[-1]["at"])
    assert [row["id"] for row in got] == [row["id"] for row in one.rows[:-1]]
    assert report["rows"] == len(got) > 5
    assert report["sha256"] == sha256("".join(map(line, got)).encode()).hexdigest()
    assert one.report.sha256 == sha256("".join(map(line, one.rows)).encode()).hexdigest()
    assert report["parameters"]["person"] == login


async def test_a_stream_holds_one_batch_at_a_time(
    engine: AsyncEngine, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.answer._BATCH", 3)
    question = questions()["person"]
    asked = question.parameters.model_validate({"tenant": "as100", "person": login})
    async with stream(engine, question, asked, AUDITOR) as coming:
        assert [len(batch) async for batch in coming.batches] == [3, 3, 2]


async def test_a_reading_is_an_entry_that_names_the_pseudonym_and_never_the_login(
    engine: AsyncEngine, pool: Pool, login: str
) -> None:
    one = await page(engine, "person", person=login, limit=2)
    assert one.report.people is not None
    [entry] = await _accesses(pool, one.report.receipt)
    assert (entry["subject"], entry["actor"], entry["outcome"]) == (
        str(one.report.people[0]),
        "key:auditor",
        "read",
    )
    assert entry["detail"] == {
        "question": "person", "parameters": {}, "rows": 2, "sha256": one.report.sha256
    }  # fmt: skip
    assert login not in str(entry)
    [last] = [row for row in await ask(engine, "person", person=login) if row["hook"] == "access"][:1]
    assert last["delivery"] == one.report.receipt


async def test_a_stream_says_before_its_first_row_who_reads_and_at_its_end_how_many(
    engine: AsyncEngine, pool: Pool, login: str
) -> None:
    question = questions()["person"]
    asked = question.parameters.model_validate({"tenant": "as100", "person": login})
    async with stream(engine, question, asked, AUDITOR) as coming:
        [begun] = await _accesses(pool, coming.report.receipt)
        async for _ in coming.batches:
            pass
    assert (begun["outcome"], "rows" in begun["detail"]) == ("reading", False)
    [_, ended] = await _accesses(pool, coming.report.receipt)
    assert (ended["outcome"], ended["detail"]["rows"]) == ("read", coming.report.rows)
    assert ended["detail"]["sha256"] == coming.report.sha256


async def test_a_stream_that_its_reader_leaves_says_so(engine: AsyncEngine, pool: Pool, login: str) -> None:
    question = questions()["person"]
    asked = question.parameters.model_validate({"tenant": "as100", "person": login})
    receipt = None

    async def read_one() -> None:
        nonlocal receipt
        async with stream(engine, question, asked, AUDITOR) as coming:
            receipt = coming.report.receipt
            await anext(aiter(coming.batches))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await read_one()
    assert [entry["outcome"] for entry in await _accesses(pool, receipt)] == ["reading", "broken off"]


async def test_nothing_is_given_if_the_entry_cannot_be_written(
    engine: AsyncEngine, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr("ledger.answer.record_access", lost)
    with pytest.raises(TimeoutError):
        await page(engine, "person", person=login)
    with pytest.raises(TimeoutError):
        await streamed(engine, "person", person=login)


async def test_a_token_fits_its_question_and_parameters_only(engine: AsyncEngine, login: str) -> None:
    token = (await page(engine, "person", person=login, limit=1)).next
    assert token is not None
    assert (await page(engine, "person", person=login, limit=1, after=token)).rows[0]["seq"] == 2
    for person, wrong in (
        ("bina", token),
        (login, token[:-3]),
        (login, "é"),
        (login, "W10"),
    ):
        with pytest.raises(BadToken):
            await page(engine, "person", after=wrong, person=person)


async def test_nobody_so_named_is_an_empty_answer_that_says_so(engine: AsyncEngine) -> None:
    one = await page(engine, "person", person="nobody-is-called-so")
    assert (one.rows, one.next, one.report.people) == ([], None, ())


async def test_every_question_is_asked_of_one_tenant_and_gives_its_columns(
    engine: AsyncEngine, login: str
) -> None:
    given = {"person": login, "application": "hr", "on": "2026-11-25", "period": "2026Q4"}
    for question in questions().values():
        fields = question.parameters.model_fields
        mine = {name: value for name, value in given.items() if name in fields}
        for tenant, some in (("as100", True), ("nowhere", False)):
            asked = question.parameters.model_validate({"tenant": tenant} | mine)
            one = await answer(engine, question, asked, AUDITOR)
            assert some or not any(row for row in one.rows if row.get("subject")), question.name
            for row in one.rows:
                assert list(row) == [column.name for column in question.columns], question.name
            assert (one.report.receipt is not None) is question.personal


@pytest.mark.parametrize(
    ("name", "given", "where"),
    [
        ("person", {}, "person"),
        ("person", {"person": ""}, "person"),
        ("person", {"person": "a\x00"}, "person"),
        ("person", {"person": "a", "since": "yesterday"}, "since"),
        ("who-had", {"application": "hr", "on": "25.11.2026"}, "on"),
        ("who-had", {"application": "hr", "on": "2026-11-25", "more": 1}, "more"),
    ],
)
def test_mistakes_are_named_and_never_repeated(name: str, given: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        questions()[name].parameters.model_validate({"tenant": "as100"} | given)
    [mistake] = wrong.value.errors(include_url=False)
    assert mistake["loc"] == (where,)
    assert "yesterday" not in str(wrong.value)
    assert "25.11" not in str(wrong.value)
