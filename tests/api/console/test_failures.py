"""Deeds on pages: who may, that they are counted before they are done, and that each is an entry with actor and reason."""

import contextlib
import json
import re
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from ledger.engine import Pool
from tests.api.console.visiting import proof, signed_in, text_of
from tests.api.query.asking import Desk
from tests.commands.stored import ended
from tests.support import rows

OF = "/console/of/as100/failures"


async def _deeds(pool: Pool) -> list[tuple[str, str]]:
    found = await rows(
        pool,
        "SELECT e.outcome, b.body FROM entries e JOIN bodies b ON b.delivery = e.delivery"
        " WHERE e.hook = 'operator' AND e.activity IS NOT NULL ORDER BY e.id",
    )
    return [(row["outcome"], json.loads(row["body"])["request"]["reason"]) for row in found]


async def _end(pool: Pool, client: Client) -> None:
    """Workflows that were rung for must not outlive the test: nobody works on its queue."""
    for row in await rows(pool, "SELECT workflow_id FROM subjects"):
        with contextlib.suppress(RPCError):  # nobody rang for this one
            await client.get_workflow_handle(row["workflow_id"]).terminate()


@pytest.fixture
async def broken(pool: Pool, engine: AsyncEngine) -> list[UUID]:
    """Three that failed, one that is held."""
    found = [await ended(pool, engine, f"person.{n}", "failed", "SMTP 550") for n in range(3)]
    return [*found, await ended(pool, engine, "person.3", "failed", "no room", held=True)]


async def test_ticked_work_is_weighed_then_redriven(
    desk: Desk, pool: Pool, client: Client, broken: list[UUID]
) -> None:
    async with signed_in(desk, "operator", "as100") as visitor:
        weighed = await visitor.send(
            OF,
            f"{OF}/weigh",
            deed="redrive",
            reason="the server is back",
            piece=f"{broken[0]} mail",
            which="ticked",
        )
        assert "Redrive 1 piece of work?" in text_of(weighed)
        assert await _deeds(pool) == []
        done = await visitor.post(
            f"{OF}/do",
            proof=proof(weighed),
            deed="redrive",
            reason="the server is back",
            piece=re.findall(r'name="piece" value="([^"]+)"', weighed.text),
        )
        assert "Redriven: 1 piece of work of 1 person" in text_of(done)
        assert "person.0" not in text_of(done)
        again = await visitor.send(OF, f"{OF}/do", deed="redrive", reason="twice", piece=f"{broken[0]} mail")
        assert "0 pieces" in text_of(again)
        assert "1 was in no state for it" in text_of(again)

    assert await _deeds(pool) == [("redrive", "the server is back")]
    await _end(pool, client)


async def test_all_that_a_filter_finds_is_counted_and_done(
    desk: Desk, pool: Pool, client: Client, broken: list[UUID]
) -> None:
    async with signed_in(desk, "operator", "as100") as visitor:
        weighed = await visitor.send(
            f"{OF}?state=failed", f"{OF}/weigh", deed="redrive", reason="all", which="all", state="failed"
        )
        assert "Redrive 3 pieces of work?" in text_of(weighed)
        pieces = re.findall(r'name="piece" value="([^"]+)"', weighed.text)
        assert {UUID(piece.split()[0]) for piece in pieces} == set(broken[:3])
        done = await visitor.post(
            f"{OF}/do", proof=proof(weighed), deed="redrive", reason="all", piece=pieces, state="failed"
        )
        assert "3 pieces of work of 3 people" in text_of(done)

    assert await _deeds(pool) == [("redrive", "all")] * 3
    await _end(pool, client)


async def test_only_what_is_held_is_skipped(
    desk: Desk, pool: Pool, client: Client, broken: list[UUID]
) -> None:
    async with signed_in(desk, "operator", "as100") as visitor:
        pieces = [f"{delivery} mail" for delivery in broken]
        done = await visitor.send(OF, f"{OF}/do", deed="skip", reason="by hand", piece=pieces)

    assert "Skipped: 1 piece" in text_of(done)
    assert "3 were in no state for it: only what is held can be skipped" in text_of(done)
    assert await _deeds(pool) == [("skip", "by hand")]
    await _end(pool, client)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"deed": "redrive", "reason": " "}, "Give a reason"),
        ({"deed": "redrive", "reason": "x" * 2001}, "Give a reason"),
        ({"deed": "erase", "reason": "why"}, "Choose redrive or skip"),
        ({"deed": "redrive", "reason": "why"}, "Tick the work"),
        ({"deed": "redrive", "reason": "why", "piece": "x mail"}, "in a way that no page"),
    ],
)
async def test_what_is_missing_is_said_and_nothing_is_done(
    desk: Desk, pool: Pool, broken: list[UUID], form: dict[str, str], words: str
) -> None:
    async with signed_in(desk, "operator", "as100") as visitor:
        answer = await visitor.send(OF, f"{OF}/weigh", **form)

    assert answer.status_code == 422
    assert words in text_of(answer)
    assert await _deeds(pool) == []


async def test_an_auditor_and_another_tenant_s_operator_may_not(
    desk: Desk, pool: Pool, broken: list[UUID]
) -> None:
    piece = f"{broken[0]} mail"
    async with signed_in(desk, "auditor", "as100") as visitor:
        page = await visitor.get(OF)
        assert "an operator's" in text_of(page)
        assert 'type="checkbox"' not in page.text
        for step in ("weigh", "do"):
            answer = await visitor.send(OF, f"{OF}/{step}", deed="redrive", reason="why", piece=piece)
            assert answer.status_code == 403
    async with signed_in(desk, "operator", "as200") as visitor:
        theirs = await visitor.send(
            "/console/of/as200", f"{OF}/do", deed="redrive", reason="why", piece=piece
        )
        assert theirs.status_code == 404
        own = OF.replace("as100", "as200")
        slipped = await visitor.send(own, f"{own}/do", deed="redrive", reason="why", piece=piece)
        assert "0 pieces" in text_of(slipped)

    assert await _deeds(pool) == []
