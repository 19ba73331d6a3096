"""try: what it says is what the api then answers, and it leaves nothing behind."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ledger.engine import Pool
from settings import Settings, Store
from tests.api.edge import Edge, listen
from tests.api.people import person
from tests.commands.conftest import Run
from tests.commands.ruled import with_rules
from tests.support import Servers, rows

_TABLES = ("subjects", "deliveries", "bodies", "entries", "holds", "names", "name_counts", "handles", "work")


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant with rules."""
    return with_rules(tmp_path, store)


@pytest.fixture
async def edge(settings: Settings, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Edge]:
    """The api with the same configuration."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with listen(settings) as edge:
        yield edge


async def _tried(run: Run, directory: Path, hook: str, request: Any, *more: str) -> dict[str, Any]:
    path = directory / "body.json"
    path.write_text(json.dumps({"request": request}))
    result = await run("try", hook, str(path), "--json", *more)
    assert result.exit_code in (0, 1), result.output
    tried = json.loads(result.stdout)
    assert (result.exit_code == 1) is (tried["verdict"] == "refused")
    return tried


async def _counts(pool: Pool) -> list[Any]:
    return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in _TABLES]


async def test_it_says_what_the_api_then_answers_and_stores_nothing(
    run: Run, edge: Edge, pool: Pool, tmp_path: Path
) -> None:
    known = person() | {"id": "6214a1", "department": "Finance"}
    await edge.answer("postCreateUser", {"user": known})
    unmailed = {k: v for k, v in person().items() if k != "email"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("validateUser", {"user": person()}),
        ("validateUser", {"user": person() | {"userType": "Contractor"}}),
        ("validateUser", {"user": person() | {"email": "x@blocked.example"}}),
        ("validateUser", {"user": person() | {"email": known["email"].upper()}}),
        ("validateUser", {"user": unmailed | {"firstName": "Zoë"}}),
        (
            "validateUser",
            {"user": unmailed | {"firstName": "Zoë", "login": "another", "mobile": "9812300001"}},
        ),
        ("preCreateUser", {"user": unmailed | {"firstName": "Zoë"}}),
        ("validateUpdateUser", {"user": known}),
        ("validateUpdateUser", {"user": known | {"department": "Sales"}}),
        ("policyMap", {"user": known, "targetAttribute": "ou"}),
        ("runDeprovision", {"user": known}),
        ("postUpdateUser", {"user": known}),
    ]
    for hook, request in calls:
        before = await _counts(pool)
        tried = await _tried(run, tmp_path, hook, request)
        assert await _counts(pool) == before

        assert tried["store"] is None
        assert tried["answer"] == await edge.answer(hook, request), (hook, tried)


async def test_each_rules_verdict_and_each_clash_is_shown(
    run: Run, edge: Edge, pool: Pool, tmp_path: Path
) -> None:
    known, held = person() | {"id": "6214a1"}, person()
    await edge.answer("postCreateUser", {"user": known})
    await edge.answer("validateUser", {"user": held})
    user = person() | {"email": known["email"], "mobile": held["mobile"], "userType": "Contractor"}

    tried = await _tried(run, tmp_path, "validateUser", {"user": user})

    assert tried["code"] == "EndDateRequired"
    assert [(r["rule"], r["verdict"], r["why"]) for r in tried["rules"]] == [
        ("display-name", "sets", ""),
        ("mail", "passes", ""),
        ("contractor-end-date", "refuses", "lacks endDate"),
        ("blocked-domain", "passes", 'user.email.endsWith("@blocked.example")'),
        ("quiet", "says nothing", "department is absent"),
    ]
    assert {u["attribute"]: (u["verdict"], u["code"]) for u in tried["unique"]} == {
        "email": ("clashes", "EmailAlreadyExist"),
        "login": ("free", None),
        "mobile": ("held", "MobileAlreadyExist"),
    }
    [subject] = await rows(pool, "SELECT subject FROM handles WHERE value = $1", known["login"])
    [clash] = next(u["with"] for u in tried["unique"] if u["attribute"] == "email")
    assert clash["subject"] == subject["subject"]
    screen = await run("try", "validateuser", str(tmp_path / "body.json"))
    assert screen.exit_code == 1
    for words in (
        "lacks endDate",
        "would be refused with EndDateRequired",
        '"message": "EndDateRequired"',
        "who holds it",
    ):
        assert words in screen.stdout


async def test_another_file_of_rules_is_tried_before_it_is_made(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "new.toml"
    rules.write_text("""
[[validate]]
name = "nobody"
refuse = 'lookup("ou", "Sales") == "OU=Sales"'
code = "Nobody"
""")
    request = {"user": person() | {"email": "x@blocked.example"}}

    tried = await _tried(run, tmp_path, "validateUser", request, "--rules", str(rules))
    assert (tried["code"], [r["rule"] for r in tried["rules"]]) == ("Nobody", ["nobody"])
    assert (await _tried(run, tmp_path, "validateUser", request))["verdict"] == "passed"
    assert (await _tried(run, tmp_path, "validateUser", request, "--on"))["code"] == "EmailDomainBlocked"

    rules.write_text("[[validate]]\nname = 'nobody'\nrefuse = 'user.emial == \"\"'\ncode = 'Nobody'\n")
    wrong = await run("try", "validateUser", str(tmp_path / "body.json"), "--rules", str(rules))
    assert wrong.exit_code == 2
    assert (
        f"{rules}:3:16: validate[0].refuse: a user has no attribute emial; did you mean email?"
        in wrong.stderr
    )


async def test_before_can_be_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text(json.dumps(person() | {"login": "asha", "department": "Finance"}))
    request = {"user": {"login": "asha", "department": "Sales"}}

    assert (await _tried(run, tmp_path, "validateUpdateUser", request))["verdict"] == "passed"
    moved = await _tried(
        run, tmp_path, "validateUpdateUser", request, "--before", str(tmp_path / "before.json")
    )
    assert moved["code"] == "NoMove"


async def test_without_a_store_the_rules_speak_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "store.url").write_text("postgresql://nobody@127.0.0.1:1/nothing")
    user = {"login": "asha", "firstName": "Zoë", "mobile": "9812345678"}

    tried = await _tried(run, tmp_path, "validateUser", {"user": user})

    assert "does not answer" in tried["store"]
    assert tried["verdict"] == "passed"
    assert {u["verdict"] for u in tried["unique"]} == {"not compared"}
    assert "would try zoe@example.com, zoe2@example.com" in tried["names"][0]["words"]
    screen = await run("try", "validateUser", str(tmp_path / "body.json"))
    assert "So unique values were not compared" in screen.stdout


async def test_secrets_of_a_body_are_not_printed(run: Run, tmp_path: Path) -> None:
    request = {"user": person() | {"passwordText": "hunter2hunter2"}}
    tried = await _tried(run, tmp_path, "validateUser", request)

    screen = await run("try", "validateUser", str(tmp_path / "body.json"))
    assert "hunter2" not in json.dumps(tried) + screen.output

    for target in ("__PASSWORD__", "ou"):
        request = {"user": person(), "targetAttribute": target, "defaultValue": "hunter2"}
        tried = await _tried(run, tmp_path, "policyMap", request)
        assert tried["answer"] == {"mappedValue": "[cut]" if target == "__PASSWORD__" else "hunter2"}


@pytest.mark.parametrize(
    ("hook", "body", "words"),
    [
        ("validateUsr", "{}", "no hook validateUsr; there are"),
        ("validateUser", "{", "is not valid JSON"),
        ("validateUser", '{"request":{}}', "must have request.user"),
        ("policyMap", '{"user":{"login":"a"}}', "request.targetAttribute"),
        ("validateUser", None, "cannot be read"),
    ],
)
async def test_what_cannot_be_tried_says_why(
    run: Run, tmp_path: Path, hook: str, body: str | None, words: str
) -> None:
    path = tmp_path / "body.json"
    if body is not None:
        path.write_text(body)

    result = await run("try", hook, str(path))
    assert result.exit_code == 2
    assert words in result.stderr
