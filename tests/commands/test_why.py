"""why: explains from what was kept then, masks what is somebody's, and says what is gone."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ledger.asked import keep_rules
from ledger.engine import Pool
from runtime.configuration import compiled, load_checked
from settings import Settings, Store
from tests.api.edge import Edge, listen
from tests.api.people import person
from tests.commands.conftest import Run
from tests.commands.ruled import JOINERS, with_rules
from tests.support import Servers, rows


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant with rules."""
    return with_rules(tmp_path, store)


@pytest.fixture
async def edge(
    settings: Settings, servers: Servers, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Edge]:
    """The api with the same configuration, the text of its rules kept."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    policy = compiled(settings)["as100"]
    await keep_rules(pool, "as100", policy.hash, policy.text)
    async with listen(settings) as edge:
        yield edge


async def _newest(pool: Pool) -> str:
    [row] = await rows(pool, "SELECT id FROM deliveries ORDER BY received_at DESC LIMIT 1")
    return row["id"]


async def _why(run: Run, receipt: str) -> dict[str, Any]:
    result = await run("why", receipt, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_a_refusal_by_a_rule_shows_the_rule_as_it_was(
    run: Run, edge: Edge, pool: Pool, tmp_path: Path
) -> None:
    user = person() | {"userType": "Contractor", "email": "x@blocked.example"}
    await edge.answer("validateUser", {"user": user})
    receipt = await _newest(pool)
    # The file says something else today.
    (tmp_path / "joiners.toml").write_text(
        JOINERS.replace("Contractor", "Partner").replace("EndDateReq", "Req")
    )
    today = compiled(load_checked(tmp_path / "hookledger.toml"))["as100"].hash

    why = await _why(run, receipt)

    assert why["delivery"]["rules_hash"] != today
    assert why["code"] == "EndDateRequired"
    assert (why["rule"]["when"], why["rule"]["required"]) == ('user.userType == "Contractor"', ["endDate"])
    assert [(f["outcome"], f["rule"]) for f in why["findings"]] == [("would refuse", "blocked-domain")]
    screen = (await run("why", receipt)).stdout
    for words in (
        user["login"],
        "refused with EndDateRequired",
        'user.userType == "Contractor"',
        "would refuse: blocked-domain",
    ):
        assert words in screen


async def test_a_clash_is_masked_with_its_pseudonym_and_since_when(run: Run, edge: Edge, pool: Pool) -> None:
    known = person() | {"email": "asha.rao@example.com", "id": "6214a1"}
    await edge.answer("postCreateUser", {"user": known})
    [handle] = await rows(pool, "SELECT subject FROM handles WHERE value = $1", known["login"])
    await edge.answer("validateUser", {"user": person() | {"email": "Asha.Rao@Example.com"}})
    receipt = await _newest(pool)

    why = await _why(run, receipt)

    assert why["code"] == "EmailAlreadyExist"
    [clashed] = [u for u in why["unique"] if u["clashed"]]
    assert clashed["normal_form"] == "a•••o@e•••e.com"
    assert [c["subject"] for c in clashed["with"]] == [handle["subject"]]
    screen = (await run("why", receipt)).stdout
    assert handle["subject"] in screen
    assert "known since 20" in screen
    assert "asha.rao@" not in (screen + json.dumps(why)).lower()


async def test_what_was_given_set_and_held_is_told(run: Run, edge: Edge, pool: Pool) -> None:
    user = {k: v for k, v in person().items() if k != "email"} | {"firstName": "Zoë"}
    await edge.answer("validateUser", {"user": user})
    receipt = await _newest(pool)

    why = await _why(run, receipt)

    assert why["set"] == {"displayName": f"Zoë {user['lastName']}"}
    assert [(n["attribute"], n["shown"], n["here"]) for n in why["names"]] == [
        ("email", "zoe@example.com", True)
    ]
    assert {h["attribute"] for h in why["holds"]} == {"email", "login", "mobile"}
    screen = (await run("why", receipt)).stdout
    assert "z•••@e•••e.com" not in screen  # three letters show none
    assert "•••@e•••e.com" in screen
    assert "for another 10 min" in screen or "for another 9 min" in screen


async def test_an_erased_body_is_said_to_be(run: Run, edge: Edge, pool: Pool, store: Store) -> None:
    await edge.answer("validateUser", {"user": person()})
    receipt = await _newest(pool)
    await _as_owner(store, "DELETE FROM bodies")

    why = await _why(run, receipt)

    assert (why["erased"], why["unique"], why["set"]) == (True, [], None)
    assert "its body was erased" in (await run("why", receipt)).stdout


@pytest.mark.parametrize(
    ("receipt", "words"),
    [("12", "is no receipt id"), ("01a212f6-32bc-7081-922d-23a86dd264a1", "no delivery has the receipt")],
)
async def test_an_unknown_receipt_says_why(run: Run, receipt: str, words: str) -> None:
    result = await run("why", receipt)

    assert result.exit_code == 2
    assert words in result.stderr


async def _as_owner(store: Store, statement: str) -> None:
    from ledger.engine import open_pool

    owner = await open_pool(Store(url=store.owner_url or ""), "test")
    await owner.execute(statement)
    await owner.close()
