"""Pages over a real store: what each shows, to whom, what of it is an entry, and that nothing on it is run by a browser."""

import html
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from ledger.questions import Question, questions
from ledger.receive import receive
from tests.api.console.visiting import signed_in, text_of
from tests.api.query.asking import Desk
from tests.api.query.test_questions import GIVEN
from tests.commands.stored import ended
from tests.support import delivery, rows

TENANTS = ("as100", "as200")
QUESTIONS = list(questions().values())
MARKUP = '<img/src="x"onerror=alert(1)>'


def _given(question: Question) -> dict[str, str]:
    fields = question.parameters.model_fields
    return {name: GIVEN[name] for name, field in fields.items() if field.is_required() and name != "tenant"}


@pytest.fixture
async def world(pool: Pool, engine: AsyncEngine) -> None:
    """Two tenants with a person of the same name; only actors tell them apart."""
    for tenant in TENANTS:
        for login in ("shared.person", "other.person"):
            for hook in ("validateUser", "postCreateUser", "postProvision"):
                application = f"app-of-{tenant}" if "rovision" in hook else None
                await receive(
                    pool,
                    delivery(login, hook, tenant=tenant, actor=f"mark-of-{tenant}", application=application),
                )
    await ended(pool, engine, "shared.person", "failed", "fault-of-as100")
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")


async def _accesses(pool: Pool) -> list[Any]:
    return list(await rows(pool, "SELECT * FROM entries WHERE hook = 'access' ORDER BY id"))


@pytest.mark.usefixtures("world")
async def test_no_page_shows_anything_of_another_tenant(desk: Desk, pool: Pool) -> None:
    subjects = {
        tenant: [r["id"] for r in await rows(pool, "SELECT id FROM subjects WHERE tenant = $1", tenant)]
        for tenant in TENANTS
    }
    for tenant, other in (TENANTS, TENANTS[::-1]):
        async with signed_in(desk, "operator", tenant) as visitor:
            of = f"/console/of/{tenant}"
            pages = [await visitor.get(of), await visitor.get(f"{of}/failures")]
            pages.append(await visitor.send(of, f"{of}/person", person="shared.person"))
            for question in QUESTIONS:
                path = f"{of}/ask/{question.name}"
                page = await visitor.send(path, path, **_given(question))
                pages.append(page)
                files = html.unescape(page.text).split('href="' + question.name + "/")[1:]
                pages += [await visitor.get(f"{path}/{file.partition(chr(34))[0]}") for file in files]
                assert len(files) == 2, page.text
            for page in pages:
                assert page.status_code == 200, page.text
                for mark in (
                    f"mark-of-{other}",
                    f"app-of-{other}",
                    f"/of/{other}",
                    f">{other}<",
                    *subjects[other],
                ):
                    assert mark not in page.text, page.url
                assert other == "as200" or "fault-of" not in page.text

            theirs = [of.replace(tenant, other), "/console/of/nobody"]
            for there in theirs:
                for path in ("", "/failures", "/person?person=shared.person", "/ask/person", "/ask/totals"):
                    answer = await visitor.get(there + path)
                    assert answer.status_code == 404
                    assert "no such tenant" in answer.text
            stranger = await visitor.get(f"{of}/person?person={subjects[other][0]}")
            assert "Nobody" in text_of(stranger)


@pytest.mark.usefixtures("world")
async def test_a_sealed_address_of_one_tenant_opens_nothing_in_another(desk: Desk) -> None:
    async with signed_in(desk, "auditor") as visitor:
        page = await visitor.send("/console/of/as200", "/console/of/as200/person", person="shared.person")
        assert "mark-of-as200" in page.text
        assert "shared" not in str(page.url), "an address is kept by logs and histories"
    async with signed_in(desk, "auditor", "as100") as visitor:
        stolen = await visitor.get(str(page.url).replace("as200", "as100"))
        changed = await visitor.get(str(page.url).replace("as200", "as100")[:-4])

    assert (stolen.status_code, changed.status_code) == (400, 400)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
async def test_a_question_has_its_page_with_form_answer_and_entry(
    desk: Desk, pool: Pool, question: Question
) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        path = f"/console/of/as100/ask/{question.name}"
        form = await visitor.get(path)
        assert html.escape(question.title) in form.text
        for name in question.parameters.model_fields.keys() - {"tenant"}:
            assert f'name="{name}"' in form.text
            assert f'for="f-{name}"' in form.text
        before = await _accesses(pool)
        page = await visitor.send(path, path, **_given(question))
        new = len(await _accesses(pool)) - len(before)
        # A page that needs no parameter is its own answer: the form was looked at once more by `send`.
        looks = 1 if _given(question) else 2
        assert new == (looks if question.personal else 0)
        assert page.status_code == 200
        every = await visitor.get(f"{page.url}&all=1")
        if "<table>" in every.text:
            assert every.text.count('<th scope="col"') == len(question.columns)


@pytest.mark.usefixtures("world")
async def test_rows_go_on_where_the_page_before_ended(desk: Desk, pool: Pool) -> None:
    for _ in range(60):
        await receive(pool, delivery("many.hooks", "postUpdateUser"))
    async with signed_in(desk, "auditor", "as100") as visitor:
        path = "/console/of/as100/ask/person"
        first = await visitor.send(path, path, person="many.hooks")
        found = html.unescape(first.text).partition('class="button" href="')[2].partition('"')[0]
        second = await visitor.get(path + found)

    assert [p.text.count("<tr>") - 1 for p in (first, second)] == [50, 10]
    assert "from the beginning" in second.text
    assert "The next rows" not in second.text


async def test_mistakes_are_named_beside_what_was_sent(desk: Desk) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        path = "/console/of/as100/ask/who-had"
        page = await visitor.send(path, path, application=MARKUP, on="yesterday")

    assert page.status_code == 422
    assert "on: must be a day" in text_of(page)
    assert html.escape(MARKUP) in page.text.replace("&#34;", "&quot;")
    assert MARKUP not in page.text


async def test_markup_in_what_the_platform_sent_is_text(desk: Desk, pool: Pool, engine: AsyncEngine) -> None:
    await ended(pool, engine, MARKUP, "failed", MARKUP)
    await receive(
        pool, delivery(MARKUP, "postProvision", actor=MARKUP, acting_for=MARKUP, application=MARKUP)
    )
    async with signed_in(desk, "operator", "as100") as visitor:
        of = "/console/of/as100"
        pages = [await visitor.get(of), await visitor.get(f"{of}/failures")]
        pages.append(await visitor.send(of, f"{of}/person", person=MARKUP))
        for question in QUESTIONS:
            path = f"{of}/ask/{question.name}"
            given = _given(question)
            page = await visitor.send(
                path, path, **{n: MARKUP if n == "person" else v for n, v in given.items()}
            )
            pages += [page, await visitor.get(f"{page.url}&all=1")]
        pages.append(await visitor.get(f"{of}/failures?activity={MARKUP}"))
        pages.append(await visitor.get(f"{of}/{MARKUP}"))

    assert sum("onerror" in page.text for page in pages) > 6
    assert not any("<img" in page.text for page in pages)


@pytest.mark.usefixtures("world")
async def test_the_overview_tells_of_nobody_and_is_no_entry(desk: Desk, pool: Pool) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        for span in ("day", "week", "month", "nonsense"):
            page = await visitor.get(f"/console/of/as100?span={span}")
            text = text_of(page)
            assert page.status_code == 200
            assert "1 failures open now" in text
            assert "7 hooks" in text
            assert "The brake is on" in text
            assert "shared.person" not in page.text

    assert await _accesses(pool) == []


@pytest.mark.usefixtures("world")
async def test_a_story_has_what_came_what_was_done_and_who_read_it(desk: Desk, pool: Pool) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        of = "/console/of/as100"
        await visitor.send(of, f"{of}/person", person="SHARED.person")
        page = await visitor.send(of, f"{of}/person", person="shared.person")
    text = text_of(page)

    assert text.index("validateUser") < text.index("postProvision") < text.index("Read by key:")
    assert "fault-of-as100" in text
    [access, _] = await _accesses(pool)
    assert access["outcome"] == "read"
    assert "shared.person" not in str(access["detail"])
