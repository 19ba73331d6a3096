"""A table for lookup() in the store: replaced as a whole, and answered from within seconds."""

import asyncio
from pathlib import Path

import pytest

from ledger.engine import Pool
from settings import Settings, Store
from tests.api.edge import listen
from tests.api.people import person
from tests.commands.conftest import Run
from tests.support import Servers, rows, write_configuration

RULES = """
[tenants.as100.rules]
mode = "on"
[tenants.as100.rules.tables]
ou = { store = true }
[[tenants.as100.rules.policy_map]]
name = "ou"
target = "ou"
value = 'lookup("ou", user.department)'
"""


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """A tenant with a table in the store."""
    return write_configuration(tmp_path, store, rules=RULES)


async def test_a_table_is_replaced_as_a_whole(run: Run, pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "ou.csv"
    for content in ("key,value\nFinance,OU=1\nSales,OU=2\n", "key,value\nFinance,OU=3\n"):
        file.write_text(content)
        ended = await run("rules", "table", "ou", str(file), "--tenant", "as100")
        assert ended.exit_code == 0, ended.output

    assert await rows(pool, "SELECT key, value FROM lookups") == [{"key": "Finance", "value": "OU=3"}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "add nowhere = { store = true }"),
        (("ou", "--key", "department"), "has no column department"),
    ],
)
async def test_what_cannot_be_is_said(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    file = tmp_path / "ou.csv"
    file.write_text("key,value\nFinance,OU=1\n")
    name, *more = arguments
    ended = await run("rules", "table", name, str(file), "--tenant", "as100", *more)

    assert ended.exit_code == 2
    assert words in ended.stderr


async def test_the_api_answers_from_it(
    run: Run, settings: Settings, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    file = tmp_path / "ou.csv"
    file.write_text("key,value\nFinance,OU=Finance\n")
    await run("rules", "table", "ou", str(file), "--tenant", "as100")
    request = {"targetAttribute": "ou", "defaultValue": "none", "user": person() | {"department": "Finance"}}
    async with listen(settings) as edge:
        for _ in range(100):
            if (await edge.answer("policyMap", request))["mappedValue"] == "OU=Finance":
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the table was not read")
