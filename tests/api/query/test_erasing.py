"""Erasure over HTTP: who may, what is done, and that the answer tells what is in the way."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from ledger.certificate import hash_of, open_certificate
from ledger.note import verifiers_of
from tests.api.query.asking import Desk, listen, make
from tests.erasing import LOGIN, World, fill, world
from tests.support import Servers, rows


@pytest.fixture
async def place(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """A store with the person in it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with world(servers, tmp_path) as made:
        await fill(made)
        yield made


@pytest.fixture
async def desk(place: World) -> AsyncGenerator[Desk]:
    """The listener on it."""
    async with listen(place.settings) as desk:
        yield desk


async def test_an_admin_looks_erases_and_shows_the_certificate(desk: Desk, place: World) -> None:
    text, key = await make(desk.settings, "admin", "as100")
    auditor, _ = await make(desk.settings, "auditor", "as100")
    asked = {"tenant": "as100", "person": str(await place.subject()), "reason": "asked by letter"}

    shown = await desk.post("/ledger/erasures", text, **asked)
    assert (shown.status_code, shown.json()["in_the_way"]) == (200, [])
    assert shown.json()["would_remove"]["logins and platform ids, past ones too"] >= 2
    assert await place.tables_that_name_them() != set()

    done = await desk.post("/ledger/erasures", text, do="erase", **asked)
    assert done.status_code == 200, done.text
    assert await place.tables_that_name_them() == set()
    deed = await rows(place.root, "SELECT actor FROM entries WHERE outcome = 'erase'")
    assert deed == [{"actor": f"key:{key.id}"}]

    found = await desk.get("/ledger/certificates", auditor, certificate=done.json()["certificate"])
    read = open_certificate(found.json()["note"], verifiers_of(place.settings.ledger.seal))
    assert hash_of(done.json()["secret"], LOGIN) in read.names
    again = await desk.post("/ledger/erasures", text, do="erase", **asked)
    assert (again.status_code, again.json()["type"]) == (409, "urn:hookledger:problem:in_the_way")


async def test_a_hold_is_placed_keeps_and_is_released(desk: Desk, place: World) -> None:
    text, _ = await make(desk.settings, "admin")
    asked = {"tenant": "as100", "person": str(await place.subject()), "reason": "matter 7"}

    held = await desk.post("/ledger/holds", text, **asked)
    kept = await desk.post("/ledger/erasures", text, do="erase", **asked)
    planned = await desk.post("/ledger/erasures", text, do="plan", **asked)
    withdrawn = await desk.post("/ledger/erasures", text, do="withdraw", **asked)
    free = await desk.post("/ledger/holds", text, release=held.json()["hold"], **asked)
    twice = await desk.post("/ledger/holds", text, release=held.json()["hold"], **asked)

    assert (held.status_code, kept.status_code, free.status_code, twice.status_code) == (200, 409, 200, 409)
    assert (planned.status_code, withdrawn.status_code) == (200, 200)
    assert "a legal hold" in kept.json()["detail"]
    assert await place.tables_that_name_them() != set()


@pytest.mark.parametrize(("role", "tenant"), [("operator", "as100"), ("auditor", None)])
async def test_who_may_not_changes_nothing(desk: Desk, place: World, role: str, tenant: str | None) -> None:
    text, _ = await make(desk.settings, role, tenant)  # type: ignore[arg-type]
    asked = {"tenant": "as100", "person": str(await place.subject()), "reason": "r"}
    before = await place.everything()

    answers = [
        await desk.post("/ledger/erasures", text, do="erase", **asked),
        await desk.post("/ledger/erasures", text, **asked),
        await desk.post("/ledger/holds", text, **asked),
        await desk.get("/ledger/certificates", text, certificate=str(uuid4())),
    ]

    assert [a.status_code for a in answers] == [403, 403, 403, 404]
    after = await place.everything()
    assert {name for name in before if before[name] != after[name]} <= {"keys"}


async def test_nobody_and_without_the_role_it_is_said(desk: Desk, place: World) -> None:
    text, _ = await make(desk.settings, "admin")

    nobody = await desk.post("/ledger/erasures", text, tenant="as100", person=str(uuid4()), reason="r")
    assert (nobody.status_code, nobody.json()["type"]) == (409, "urn:hookledger:problem:nothing_to_do")
    store = place.settings.store.model_copy(update={"keeper_url": None})
    async with listen(place.settings.model_copy(update={"store": store})) as without:
        asked = {"tenant": "as100", "person": str(await place.subject()), "reason": "r"}
        answer = await without.post("/ledger/erasures", text, do="erase", **asked)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:hookledger:problem:cannot_erase")
        assert "keeper_url" in answer.json()["detail"]
