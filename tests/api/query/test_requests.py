"""Bulk redrive and four eyes over HTTP: who asks is a key, who approves is another one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

import settings as configuration
from ledger.engine import Pool
from settings import Settings, Store
from tests.api.query.asking import Desk, configure, make
from tests.commands.stored import ended
from tests.support import rows

FOUR_EYES = 'four_eyes = ["bulk redrive", "brake release"]'


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """as100 wants four eyes, as200 does not."""
    configure(tmp_path, store, "rate = 1000\nburst = 1000\nconcurrent = 50")
    file = tmp_path / "hookledger.toml"
    file.write_text(file.read_text().replace("[tenants.as100]\n", f"[tenants.as100]\n{FOUR_EYES}\n", 1))
    return configuration.load(file)


async def _planned(pool: Pool) -> int:
    return await pool.fetchval("SELECT count(*) FROM work WHERE state = 'planned'")


@pytest.mark.usefixtures("client")
async def test_one_key_asks_and_another_approves(desk: Desk, pool: Pool, engine: AsyncEngine) -> None:
    maker, made_by = await make(desk.settings, "operator", "as100")
    checker, _ = await make(desk.settings, "operator", "as100")
    auditor, _ = await make(desk.settings, "auditor", "as100")
    elsewhere, _ = await make(desk.settings, "operator", "as200")
    for login in ("asha", "ravi"):
        await ended(pool, engine, login, "failed")

    counted = await desk.post("/ledger/work/redrive-all", maker, tenant="as100", activity="mail")
    assert counted.json() == {"counted": 2, "activities": {"mail": 2}}
    fewer = await desk.post("/ledger/work/redrive-all", maker, tenant="as100", counted=1, reason="back")
    assert (fewer.status_code, fewer.json()["type"][-17:]) == (409, "more_than_counted")
    asked = await desk.post("/ledger/work/redrive-all", maker, tenant="as100", counted=2, reason="back")
    assert asked.status_code == 200, asked.text
    id_ = asked.json()["requested"]
    assert await _planned(pool) == 0

    [waits] = (await desk.get("/ledger/requests", checker)).json()["requests"]
    assert (waits["request"], waits["maker"], waits["counted"], waits["reason"]) == (
        id_, f"key:{made_by.id}", 2, "back",
    )  # fmt: skip
    assert (await desk.get("/ledger/requests", elsewhere)).json() == {"requests": []}
    assert (await desk.get("/ledger/requests", auditor)).status_code == 403
    refused = [
        await desk.post("/ledger/requests/approve", who, request=id_, reason="r")
        for who in (maker, elsewhere, auditor)
    ]
    assert [a.status_code for a in refused] == [403, 404, 403]
    assert refused[0].json()["type"].endswith("same_person")
    assert await _planned(pool) == 0

    done = await desk.post("/ledger/requests/approve", checker, request=id_, reason="looked at")
    assert done.status_code == 200, done.text
    assert (done.json()["pieces"], done.json()["people"]) == (2, 2)
    assert await _planned(pool) == 2
    again = await desk.post("/ledger/requests/approve", checker, request=id_, reason="twice")
    assert again.status_code == 404


@pytest.mark.usefixtures("client")
async def test_who_wants_no_four_eyes_is_done_at_once(desk: Desk, pool: Pool) -> None:
    text, _ = await make(desk.settings, "operator")
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now()), ('as200', now())")

    here = await desk.post("/ledger/brake/release", text, tenant="as200", reason="planned")
    there = await desk.post("/ledger/brake/release", text, tenant="as100", reason="planned")

    assert here.json()["deed"] == "release brake"
    assert "requested" in there.json()
    on = await rows(pool, "SELECT tenant FROM brakes WHERE stopped_at IS NOT NULL")
    assert on == [{"tenant": "as100"}]
    rejected = await desk.post(
        "/ledger/requests/reject", text, request=there.json()["requested"], reason="no"
    )
    assert rejected.status_code == 200, "a maker may take back what they asked for"
    assert (await desk.get("/ledger/requests", text)).json() == {"requests": []}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tenant": "as100", "counted": 1}, "reason: is missing"),
        ({"tenant": "as100", "states": ["done"]}, "states: must be"),
        ({"tenant": "as100", "since": "2026-11-25T10:00:00"}, "since: must be a time with its zone"),
    ],
)
async def test_mistakes_are_named(desk: Desk, body: dict[str, Any], words: str) -> None:
    text, _ = await make(desk.settings, "operator")

    answer = await desk.post("/ledger/work/redrive-all", text, **body)

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
