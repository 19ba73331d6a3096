"""Deeds and keys over HTTP: who may, what is done, and that each is an entry with actor and reason."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from ledger.engine import Pool
from tests.api.query.asking import Desk, make
from tests.commands.stored import ended, waiting
from tests.support import rows


async def _deeds(pool: Pool) -> list[dict[str, Any]]:
    found = await rows(
        pool,
        "SELECT e.outcome, e.tenant, e.actor, e.detail, b.body FROM entries e JOIN bodies b ON b.delivery = e.delivery"
        " WHERE e.hook = 'operator' AND e.actor LIKE 'key:%' ORDER BY e.id",
    )
    return [{**row, "reason": json.loads(row["body"])["request"]["reason"]} for row in found]


async def test_an_operator_redrives_and_the_person_is_rung(
    desk: Desk, pool: Pool, engine: AsyncEngine, client: Client
) -> None:
    text, key = await make(desk.settings, "operator", "as100")
    failed = await ended(pool, engine, "asha", "failed", "SMTP 550")

    answer = await desk.post("/ledger/work/redrive", text, delivery=str(failed), reason="the server is back")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["pieces"], answer.json()["note"]) == (1, None)
    [deed] = await _deeds(pool)
    assert (deed["outcome"], deed["actor"], deed["reason"]) == (
        "redrive",
        f"key:{key.id}",
        "the server is back",
    )
    [subject] = await rows(pool, "SELECT workflow_id FROM subjects")
    handle = client.get_workflow_handle(subject["workflow_id"])
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.terminate()
    again = await desk.post("/ledger/work/redrive", text, delivery=str(failed), reason="once more")
    assert (again.status_code, again.json()["type"]) == (409, "urn:hookledger:problem:nothing_to_do")


async def test_an_operator_skips_and_releases(desk: Desk, pool: Pool) -> None:
    text, _ = await make(desk.settings, "operator", "as100")
    open_ = await waiting(pool, "asha")
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")

    skipped = await desk.post(
        "/ledger/work/skip", text, delivery=str(open_), activity="mail", reason="by hand"
    )
    released = await desk.post("/ledger/brake/release", text, tenant="as100", reason="planned")

    assert (skipped.status_code, released.status_code) == (200, 200)
    assert await rows(pool, "SELECT state, outcome FROM work") == [{"state": "settled", "outcome": "skipped"}]
    assert [(d["outcome"], d["reason"]) for d in await _deeds(pool)] == [
        ("skip", "by hand"),
        ("release brake", "planned"),
    ]


@pytest.mark.parametrize(("role", "tenant"), [("auditor", "as100"), ("operator", "as200"), ("auditor", None)])
async def test_who_may_not_changes_nothing(desk: Desk, pool: Pool, role: Any, tenant: str | None) -> None:
    text, _ = await make(desk.settings, role, tenant)
    open_ = await waiting(pool, "asha")
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")

    answers = [
        await desk.post("/ledger/work/redrive", text, delivery=str(open_), activity="mail", reason="r"),
        await desk.post("/ledger/work/skip", text, delivery=str(open_), reason="r"),
        await desk.post("/ledger/brake/release", text, tenant="as100", reason="r"),
        await desk.post("/ledger/keys", text, role="auditor", tenant="as100", label="l", reason="r"),
        await desk.post("/ledger/keys/revoke", text, key="a" * 12, reason="r"),
        await desk.get("/ledger/keys", text),
    ]

    may_skip_elsewhere = 409 if role == "operator" else 403
    assert [a.status_code for a in answers] == [may_skip_elsewhere] * 2 + [403] * 4
    assert await rows(pool, "SELECT state FROM work") == [{"state": "planned"}]
    assert await _deeds(pool) == []
    assert len(await rows(pool, "SELECT * FROM keys")) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"delivery": str(uuid4())}, "reason: is missing"),
        ({"delivery": str(uuid4()), "reason": "  "}, "reason: must be a text of the right length and form"),
        (
            {"delivery": str(uuid4()), "reason": "r", "activity": "a\0"},
            "activity: must be a text of the right",
        ),
        ({"delivery": "<script>", "reason": "r"}, "delivery: must be an id such as"),
        ({"delivery": str(uuid4()), "reason": "r", "evil<": 1}, "There is a parameter that is not known"),
    ],
)
async def test_mistakes_are_named_and_not_repeated(desk: Desk, body: dict[str, Any], words: str) -> None:
    text, _ = await make(desk.settings, "operator")

    answer = await desk.post("/ledger/work/redrive", text, **body)

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert "<" not in answer.text


async def test_an_admin_of_one_tenant_makes_keys_for_it_alone(desk: Desk, pool: Pool) -> None:
    text, key = await make(desk.settings, "admin", "as100")
    everywhere, _ = await make(desk.settings, "admin")

    made = await desk.post(
        "/ledger/keys", text, role="auditor", tenant="as100", label="SIEM", days=7, reason="the yearly audit"
    )
    other = await desk.post("/ledger/keys", text, role="auditor", tenant="as200", label="l", reason="r")
    all_ = await desk.post("/ledger/keys", text, role="auditor", label="l", reason="r")
    nowhere = await desk.post(
        "/ledger/keys", everywhere, role="auditor", tenant="as999", label="l", reason="r"
    )

    assert made.status_code == 200, made.text
    assert [a.status_code for a in (other, all_, nowhere)] == [403, 403, 422]
    [deed] = await _deeds(pool)
    assert (deed["outcome"], deed["tenant"], deed["actor"], deed["reason"]) == (
        "key made", "as100", f"key:{key.id}", "the yearly audit",
    )  # fmt: skip
    assert deed["detail"]["key"] == made.json()["id"]
    assert made.json()["key"] not in str(await rows(pool, "SELECT * FROM entries, bodies"))
    assert (await desk.get("/ledger/keys", made.json()["key"])).status_code == 403
    listed = {k["id"] for k in (await desk.get("/ledger/keys", text)).json()["keys"]}
    assert listed == {key.id, made.json()["id"]}


async def test_a_key_for_all_tenants_is_an_entry_in_each(desk: Desk, pool: Pool) -> None:
    await make(desk.settings, "admin", reason="the first one")

    found = await rows(pool, "SELECT tenant, detail FROM entries WHERE outcome = 'key made' ORDER BY tenant")
    assert [row["tenant"] for row in found] == ["as100", "as200"]
    assert all(row["detail"]["sees"] == "all tenants" for row in found)
