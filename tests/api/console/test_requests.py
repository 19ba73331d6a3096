"""Four eyes on pages: one asks, another approves, nobody approves their own; nothing is done before."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool
from settings import Settings, Store
from tests.api.console.visiting import Visitor, signed_in, text_of
from tests.api.query.asking import TWO_TENANTS, Desk
from tests.commands.stored import ended
from tests.support import rows, write_configuration

OF = "/console/of/as100"


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant that wants four eyes, and one that does not."""
    (tmp_path / "as200.key").write_text(f"as200 {'k' * 48}")
    made = write_configuration(tmp_path, store, f"[query]\nrate = 1000\nburst = 1000\n{TWO_TENANTS}")
    tenant = made.tenants["as100"].model_copy(
        update={"four_eyes": ("bulk redrive", "brake release", "erase")}
    )
    return made.model_copy(update={"tenants": made.tenants | {"as100": tenant}})


@pytest.fixture
async def failed(pool: Pool, engine: AsyncEngine) -> list[UUID]:
    """Three that failed."""
    return [await ended(pool, engine, login, "failed") for login in ("asha", "ravi", "mira")]


async def _states(pool: Pool) -> set[str]:
    return {row["s"] for row in await rows(pool, "SELECT coalesce(outcome, state) AS s FROM work")}


async def _ask(visitor: Visitor) -> None:
    weighed = await visitor.send(
        f"{OF}/failures", f"{OF}/failures/weigh", which="all", deed="redrive", reason="the server is back"
    )
    assert "Ask to redrive 3" in text_of(weighed), text_of(weighed)
    pieces = [part.partition('"')[0] for part in weighed.text.split('name="piece" value="')[1:]]
    asked = await visitor.send(
        f"{OF}/failures", f"{OF}/failures/do", deed="redrive", reason="the server is back", piece=pieces
    )
    assert asked.url.path == f"{OF}/requests"
    assert "Bulk redrive, 3 pieces of work" in text_of(asked)
    assert "Take back" in asked.text
    assert ">Approve<" not in asked.text


@pytest.mark.usefixtures("client", "failed")
async def test_what_one_asks_for_another_approves(desk: Desk, pool: Pool) -> None:
    async with signed_in(desk, "operator", "as100") as maker:
        await _ask(maker)
        assert await _states(pool) == {"failed"}
        [request] = await rows(pool, "SELECT id FROM deed_requests")
        own = await maker.send(
            f"{OF}/requests", f"{OF}/requests", request=request["id"], verdict="approve", reason="x"
        )
        assert "another person must" in text_of(own)
    async with signed_in(desk, "auditor", "as100") as auditor:
        shown = await auditor.get(f"{OF}/requests")
        assert "the server is back" in text_of(shown)
        refused = await auditor.send(
            f"{OF}/requests", f"{OF}/requests", request=request["id"], verdict="approve", reason="x"
        )
        assert refused.status_code == 403
    async with signed_in(desk, "operator", "as200") as stranger:
        other = await stranger.send(
            "/console/of/as200",
            "/console/of/as200/requests",
            request=request["id"],
            verdict="approve",
            reason="x",
        )
        assert "no such request" in text_of(other)
    assert await _states(pool) == {"failed"}
    async with signed_in(desk, "operator", "as100") as checker:
        done = await checker.send(
            f"{OF}/requests", f"{OF}/requests", request=request["id"], verdict="approve", reason="looked at"
        )
        assert "3 pieces of work of 3 people to run again" in text_of(done)
        assert "Nothing waits" in text_of(done)
    assert await _states(pool) == {"planned"}
    told = await rows(
        pool,
        "SELECT outcome, count(*) AS n FROM entries WHERE hook = 'operator' AND tenant = 'as100' AND outcome IN ('requested', 'approved', 'redrive') GROUP BY 1",
    )
    assert {(row["outcome"], row["n"]) for row in told} == {("requested", 1), ("approved", 1), ("redrive", 3)}


@pytest.mark.usefixtures("client", "failed")
async def test_some_that_are_ticked_are_no_way_around_it(desk: Desk, pool: Pool, failed: list[UUID]) -> None:
    pieces = [f"{delivery} mail" for delivery in failed]
    async with signed_in(desk, "operator", "as100") as visitor:
        some = await visitor.send(
            f"{OF}/failures", f"{OF}/failures/weigh", deed="redrive", reason="x", piece=pieces[:2]
        )
        crooked = await visitor.send(
            f"{OF}/failures", f"{OF}/failures/do", deed="redrive", reason="x", piece=pieces[:2]
        )
        assert await _states(pool) == {"failed"}
        one = await visitor.send(
            f"{OF}/failures", f"{OF}/failures/do", deed="redrive", reason="x", piece=pieces[:1]
        )

    assert (some.status_code, "wants another person" in text_of(some)) == (422, True)
    assert crooked.url.path == f"{OF}/requests"
    assert one.url.path == f"{OF}/failures"
    assert await _states(pool) == {"failed", "planned"}


async def test_the_brake_is_asked_for_and_taken_back(desk: Desk, pool: Pool) -> None:
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")
    async with signed_in(desk, "operator", "as100") as maker:
        asked = await maker.send(OF, f"{OF}/brake", reason="the leavers were meant")
        [request] = await rows(pool, "SELECT id FROM deed_requests")
        back = await maker.send(
            f"{OF}/requests", f"{OF}/requests", request=request["id"], verdict="reject", reason="not yet"
        )

    assert "Brake release" in text_of(asked)
    assert "Rejected: brake release" in text_of(back)
    assert len(await rows(pool, "SELECT 1 FROM brakes WHERE stopped_at IS NOT NULL")) == 1
