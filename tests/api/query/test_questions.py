"""Every question as a call: what it answers, page by page and as a stream, to whom, and what is taken down of it."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.query.formats import RECEIPT
from ledger.engine import Pool
from ledger.questions import Question, questions
from ledger.receive import receive
from tests.api.query.asking import Desk, make
from tests.support import delivery, rows

TENANTS = ("as100", "as200")
QUESTIONS = list(questions().values())
NOW = datetime.now(UTC)
GIVEN = {
    "person": "shared.person",
    "application": "crm",
    "on": f"{NOW:%Y-%m-%d}",
    "period": f"{NOW:%Y}",
    "day": f"{NOW:%Y-%m-%d}",
}
"""What is given for a parameter that must be; a new one needs its line here."""


def _given(question: Question) -> dict[str, str]:
    fields = question.parameters.model_fields
    return {name: GIVEN[name] for name, field in fields.items() if field.is_required() and name != "tenant"}


def _mark(tenant: str) -> str:
    return f"mark-of-{tenant}"


@pytest.fixture
async def world(pool: Pool) -> None:
    """Two tenants with a person of the same name, and more of them; what tells them apart is who asked."""
    for tenant in TENANTS:
        for login in ("shared.person", *(f"other.{number}" for number in range(4))):
            for hook in ("validateUser", "postCreateUser", "preProvision", "postProvision", "postUpdateUser"):
                application = "crm" if "rovision" in hook else None
                await receive(
                    pool,
                    delivery(login, hook, tenant=tenant, actor=_mark(tenant), application=application),
                )
        await pool.execute(
            "INSERT INTO entitlements (tenant, subject, application, role, state, since, opened_by) SELECT s.tenant,"
            " s.id, 'crm', '', 'granted', now() - interval '1 minute', d.id FROM subjects s JOIN deliveries d"
            " ON d.subject = s.id AND d.hook = 'postProvision' WHERE s.tenant = $1",
            tenant,
        )


def _all_of(question: Question, tenant: str, found: str) -> None:
    for other in TENANTS:
        assert other == tenant or _mark(other) not in found, f"{question.name} shows {other} to {tenant}"
        assert other == tenant or f'"{other}"' not in found


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
async def test_a_key_of_one_tenant_sees_nothing_of_another(
    desk: Desk, pool: Pool, question: Question
) -> None:
    keys = {tenant: (await make(desk.settings, "auditor", tenant))[0] for tenant in TENANTS}
    everywhere, _ = await make(desk.settings, "auditor")
    for tenant in TENANTS:  # accesses are themselves something to see
        for _ in range(3):
            await desk.get("/ledger/person", keys[tenant], person="shared.person")
    path, given = f"/ledger/{question.name}", _given(question)
    subjects = {
        tenant: {row["id"] for row in await rows(pool, "SELECT id FROM subjects WHERE tenant = $1", tenant)}
        for tenant in TENANTS
    }
    for tenant, other in (TENANTS, TENANTS[::-1]):
        answers = [
            await desk.get(path, keys[tenant], **given),
            await desk.get(path, keys[tenant], tenant=tenant, **given),
            await desk.post(path, keys[tenant], **given),
            await desk.get(path, keys[tenant], accept="text/csv", **given),
            await desk.get(path, keys[tenant], accept="application/x-ndjson", **given),
            await desk.get(path, everywhere, tenant=tenant, **given),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            _all_of(question, tenant, answer.text)
            assert not any(subject in answer.text for subject in subjects[other])

        asked = await desk.get(path, keys[tenant], tenant=other, **given)
        posted = await desk.post(path, keys[tenant], tenant=other, **given)
        assert [asked.status_code, posted.status_code] == [403, 403]
        assert _mark(other) not in asked.text + posted.text

        page = await desk.get(path, everywhere, tenant=other, limit=1, **given)
        if cursor := page.json()["next"]:
            stolen = await desk.get(path, keys[tenant], cursor=cursor)
            assert (stolen.status_code, stolen.json()["type"]) == (400, "urn:hookledger:problem:bad_cursor")
            own = await desk.get(path, keys[other], cursor=cursor)
            assert own.status_code == 200


async def test_the_world_has_something_for_the_questions_that_the_loop_is_to_catch(
    desk: Desk, pool: Pool, world: None
) -> None:
    """An answer without rows could not show another tenant's."""
    text, _ = await make(desk.settings, "auditor", "as100")
    await desk.get("/ledger/person", text, person="shared.person")
    seen = {
        q.name: len((await desk.get(f"/ledger/{q.name}", text, **_given(q))).json()["rows"])
        for q in QUESTIONS
    }

    assert all(seen[name] > 1 or name == "accesses" for name in ("person", "who-had", "accesses")), seen
    assert seen["accesses"] == 1


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("form", "size"), [("GET", 2), ("POST", 3), ("GET", 1)])
async def test_pages_make_up_the_whole_answer(desk: Desk, form: str, size: int) -> None:
    text, _ = await make(desk.settings, "auditor", "as100")
    whole = (await desk.get("/ledger/person", text, person="shared.person")).json()
    found: list[Any] = []
    answer = (
        await desk.get("/ledger/person", text, person="shared.person", limit=size)
        if form == "GET"
        else await desk.post("/ledger/person", text, person="shared.person", limit=size)
    )
    while True:
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["rows"]
        assert page["report"]["rows"] == len(page["rows"]) <= size
        if page["next"] is None:
            assert "link" not in answer.headers
            break
        following = answer.links["next"]["url"]
        assert "shared" not in following, "an address is kept in the logs of proxies"
        answer = await desk.http.get(following, headers={"Authorization": f"Bearer {text}"})

    # Once begun, pages do not see themselves being read: what was read before them, they do.
    assert found[:5] == whole["rows"]
    assert [(row["hook"], row["delivery"]) for row in found[5:]] == [("access", whole["report"]["receipt"])]


@pytest.mark.usefixtures("world")
async def test_a_stream_has_all_rows_and_the_hash_that_the_ledger_keeps(desk: Desk, pool: Pool) -> None:
    text, key = await make(desk.settings, "auditor", "as100")
    page = (await desk.get("/ledger/person", text, person="shared.person")).json()

    lines = await desk.get("/ledger/person", text, accept="application/x-ndjson", person="shared.person")
    table = await desk.get("/ledger/person", text, accept="text/csv", person="shared.person")

    assert lines.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in lines.headers
    assert [json.loads(line) for line in lines.text.splitlines()][:5] == page["rows"]
    read = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [row["id"] for row in read][:5] == [str(row["id"]) for row in page["rows"]]
    taken_down = await rows(
        pool, "SELECT * FROM entries WHERE delivery = $1::uuid ORDER BY id", lines.headers[RECEIPT]
    )
    assert [(e["outcome"], e["actor"]) for e in taken_down] == [
        ("reading", f"key:{key.id}"),
        ("read", f"key:{key.id}"),
    ]
    assert taken_down[-1]["detail"]["sha256"] == hashlib.sha256(lines.content).hexdigest()
    assert taken_down[-1]["detail"]["rows"] == len(lines.text.splitlines())


@pytest.mark.usefixtures("world")
async def test_every_reading_of_persons_is_an_entry(desk: Desk, pool: Pool) -> None:
    text, key = await make(desk.settings, "auditor", "as100")
    for question in QUESTIONS:
        before = await rows(pool, "SELECT * FROM entries WHERE hook = 'access'")
        answer = await desk.get(f"/ledger/{question.name}", text, **_given(question))
        after = await rows(pool, "SELECT * FROM entries WHERE hook = 'access'")

        new = [e for e in after if e["id"] not in {b["id"] for b in before}]
        assert [(e["actor"], e["tenant"]) for e in new] == (
            [(f"key:{key.id}", "as100")] if question.personal else []
        )
        assert not question.personal or new[0]["delivery"] == answer.json()["report"]["receipt"]
        assert "shared.person" not in str(new)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({}, 422, "person: is missing"),
        ({"person": "a", "limit": "0"}, 422, "limit: must be a whole number from 1 to 1000"),
        ({"person": "a", "limit": "many"}, 422, "limit: must be"),
        ({"person": "a", "limit": "1001"}, 422, "limit: must be"),
        ({"person": "a", "since": "<then>"}, 422, "since: must be a time such as"),
        ({"person": "a", "<who>": "b"}, 422, "a parameter that is not known; known are tenant"),
        ({"person": "x" * 300}, 422, "person: must be a text of the right length"),
        ({"person": "a\0"}, 422, "person: must be text"),
        ({"person": "a", "cursor": "<no>"}, 422, "cursor: says already"),
        ({"cursor": "<no>"}, 400, "The cursor is not one"),
        ({"person": "a", "tenant": "<as999>"}, 403, "may not read that tenant"),
    ],
)
async def test_mistakes_are_named_and_not_repeated(
    desk: Desk, given: dict[str, str], status: int, words: str
) -> None:
    text, _ = await make(desk.settings, "auditor", "as100")

    answer = await desk.get("/ledger/person", text, **given)

    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert "<" not in answer.text


async def test_a_parameter_that_stands_twice_is_refused(desk: Desk) -> None:
    text, _ = await make(desk.settings, "auditor")
    headers = {"Authorization": f"Bearer {text}"}
    json_ = headers | {"Content-Type": "application/json"}

    twice = await desk.http.get("/ledger/person?tenant=as100&tenant=as200&person=a", headers=headers)
    both = await desk.http.post("/ledger/person?tenant=as100", headers=headers, json={"person": "a"})
    missing = await desk.get("/ledger/person", text, person="a")
    wrong = await desk.http.post("/ledger/person", headers=json_, content=b"{")
    kind = await desk.http.post("/ledger/person", headers=headers, content=b"a=1")
    html = await desk.get("/ledger/person", text, accept="text/html", person="a")

    assert [a.status_code for a in (twice, both, missing, wrong, kind, html)] == [
        422,
        422,
        422,
        400,
        415,
        406,
    ]
    assert "tenant: is missing: one of as100, as200" in missing.json()["detail"]
    assert all(a.headers["cache-control"] == "no-store" for a in (twice, missing, wrong, html))


@pytest.mark.usefixtures("world")
async def test_what_can_be_asked_is_told_and_the_document_has_it(desk: Desk) -> None:
    text, key = await make(desk.settings, "auditor", "as200")

    listed = (await desk.get("/ledger", text)).json()
    document = (await desk.http.get("/ledger/openapi.json")).json()

    assert (listed["you"], listed["tenants"]) == (f"key:{key.id}", ["as200"])
    assert [q["name"] for q in listed["questions"]] == [q.name for q in QUESTIONS]
    for question in QUESTIONS:
        path = document["paths"][f"/ledger/{question.name}"]
        assert path["get"]["summary"] == question.title
        names = {p["name"]: p["required"] for p in path["get"]["parameters"]}
        assert names.keys() == question.parameters.model_fields.keys() | {"limit", "cursor"}
        assert not names["tenant"]
        body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"].keys() == names.keys()
        assert set(path["get"]["responses"]["200"]["content"]) >= {"application/json", "text/csv"}
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"/ledger/keys", "/ledger/work/redrive"} <= document["paths"].keys()


def test_no_question_is_named_like_another_call() -> None:
    assert not {"keys", "work", "brake", "checkpoint"} & {q.name for q in QUESTIONS}


async def test_what_is_not_there_and_other_methods_are_problems(desk: Desk) -> None:
    nothing = await desk.http.get("/ledger/nothing")
    method = await desk.http.delete("/ledger/person")

    assert (nothing.status_code, method.status_code) == (404, 405)
    assert {a.headers["content-type"] for a in (nothing, method)} == {"application/problem+json"}
