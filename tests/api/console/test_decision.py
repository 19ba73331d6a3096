"""A decision explained on a page: what the command `why` tells, masked alike; to whom, and what of it is an entry."""

from uuid import UUID

import pytest

from ledger.engine import Pool
from ledger.receive import Fact, receive
from tests.api.console.visiting import signed_in, text_of
from tests.api.query.asking import Desk
from tests.support import delivery, rows, validation

OF = "/console/of/as100"
_FACT = Fact("ACTIVE", left=False, archived=False, version=None, updated=None)


async def _decided(pool: Pool, tenant: str = "as100") -> UUID:
    """A call whose e-mail address somebody else has."""
    body = '{"request": {"user": {"login": "new.person", "email": "asha@example.com"}}}'
    clash = [("email", "asha@example.com")]
    await receive(
        pool, delivery("old.person", "postCreateUser", tenant=tenant, values=clash, fact=True, identity=_FACT)
    )
    asked = validation("new.person", tenant=tenant, values=clash, body=body)
    receipt = await receive(pool, asked)
    assert receipt.verdict == "refused"
    return asked.id


async def test_a_refusal_shows_what_came_and_that_it_was_read(desk: Desk, pool: Pool) -> None:
    receipt = await _decided(pool)
    async with signed_in(desk, "auditor", "as100") as visitor:
        asked = await visitor.get(f"{OF}/why?receipt={receipt}")
        [entry] = await rows(pool, "SELECT subject, outcome, detail FROM entries WHERE hook = 'access'")
        story = await visitor.send(OF, f"{OF}/person", person="new.person")

    text = text_of(asked)
    assert asked.url.path == f"{OF}/why/{receipt}"
    assert "validateUser refused" in text
    assert "The text of the rules" in text, "these rules were never kept: the page must say so"
    assert "asha@example.com" not in asked.text
    assert (entry["outcome"], entry["detail"]["question"]) == ("read", "why")
    assert f"{OF}/why/{receipt}" in story.text


async def test_another_tenants_decision_is_not_there(desk: Desk, pool: Pool) -> None:
    receipt = await _decided(pool, "as200")
    async with signed_in(desk, "auditor", "as100") as visitor:
        page = await visitor.get(f"{OF}/why/{receipt}")
        nothing = await visitor.get(f"{OF}/why/{UUID(int=7)}")
        crooked = await visitor.get(f"{OF}/why/crooked")

    assert (page.status_code, nothing.status_code, crooked.status_code) == (404, 404, 404)
    assert "new.person" not in page.text
    assert text_of(page).replace(str(receipt), "").split("Receipt")[0] == text_of(nothing).split("Receipt")[0]
    assert await rows(pool, "SELECT 1 FROM entries WHERE hook = 'access'") == []


@pytest.mark.parametrize("given", ["crooked", "<b>", "0" * 64])
async def test_what_is_no_receipt_is_said_so(desk: Desk, given: str) -> None:
    async with signed_in(desk, "auditor", "as100") as visitor:
        page = await visitor.get(f"{OF}/why?receipt={given}")

    assert page.status_code == 422
    assert "That is no receipt" in text_of(page)
    assert "<b>" not in page.text.partition("<main")[2].partition("<form")[0]


async def test_a_call_that_was_turned_away_says_why(desk: Desk, pool: Pool) -> None:
    receipt = UUID(int=9)
    await pool.execute(
        "INSERT INTO refusals (tenant, slot, at, hook, status, reason, words, receipt) VALUES"
        " ('as100', 1, now(), 'test', 401, 'expired', 'the token has expired', $1)",
        receipt,
    )
    async with signed_in(desk, "auditor", "as100") as visitor:
        page = await visitor.get(f"{OF}/why/{receipt}")

    assert "Turned away at the door: the token has expired." in text_of(page)
