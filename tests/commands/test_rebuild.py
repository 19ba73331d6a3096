"""`ledger rebuild`: what the worker has kept of entitlements is what the ledger tells, and what is not is found."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus

from activities._planning import Planner
from activities._registry import registry
from hooks import by_name
from hooks.facts import fact_of
from ledger.engine import Pool, connect_store
from ledger.receive import receive
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.support import delivery, rows
from tests.workflows.lifecycle import Lifecycle, lifecycle

APPS, ROLES = ("crm", "hr", "desk"), ("r1", "r2", "r3")
ACTIONS = (
    "Application Create",
    "Application Delete",
    "Role Assign",
    "Role Unassign",
    "Application De-provision",
)
STATUS = ("SUCCESS_CREATE", "SUCCESS_UPDATE", "PENDING_DELETE", "SUCCESS_DELETE", "PENDING_CREATE")


async def _lives(person: Lifecycle, chance: random.Random, hooks: int) -> None:
    """A person to whom everything happens, in any order."""
    for version in range(hooks):
        name = chance.choice(
            ("postUpdateUser",) * 3 + ("postProvision",) * 3 + ("preProvision", "runDeprovision")
        )
        hook = by_name()[name.lower()]
        user: dict[str, Any] = {"login": person.login, "version": version - chance.choice((0, 0, 0, 2))}
        if chance.random() < 0.8:
            user["provisionedApps"] = {
                app: {
                    "assignedRoles": chance.sample(ROLES, chance.randint(0, 2)),
                    "login": {"status": chance.choice(STATUS)},
                }
                for app in chance.sample(APPS, chance.randint(0, 3))
            }
        user["status"] = "ARCHIVED" if version == hooks - 3 else "ACTIVE"
        request: dict[str, Any] = {"user": user}
        if "Provision" in name:
            request |= {"applicationId": chance.choice(APPS), "action": chance.choice(ACTIONS),
                        "roleList": chance.sample(ROLES, chance.randint(0, 2)), "isSuccess": chance.random() < 0.8}  # fmt: skip
        d = delivery(
            person.login,
            hook.name,
            verdict="deprovision" if name == "runDeprovision" else "received",
            body=json.dumps({"request": request}),
            application=hook.application(request),
            fact=hook.fact,
            identity=fact_of(user) if hook.whole_user else None,
            work=Planner({}).plan(hook, request, "as100"),
        )
        person.receipts.append(await receive(person.pool, d))
        if chance.random() < 0.2:
            await person.ring()
    await person.ring()
    assert await person.ended() is WorkflowExecutionStatus.COMPLETED


@pytest.mark.parametrize("seed", range(3))
async def test_everything_that_happened_is_computed_alike(
    run: Run, settings: Settings, client: Client, pool: Pool, engine: AsyncEngine, seed: int
) -> None:
    registry.cache_clear()
    async with lifecycle(settings, client) as person:
        await _lives(person, random.Random(seed), 60)
    whole = await rows(pool, "SELECT * FROM entitlements ORDER BY subject, application, role, since")
    assert len({row["state"] for row in whole}) >= 3
    assert len(whole) > 20

    equal = await run("ledger", "rebuild", "--json")
    assert equal.exit_code == 0, equal.output
    told = json.loads(equal.stdout)
    assert (told["equal"], told["store"], told["ledger"]) == (True, len(whole), len(whole))
    assert "equal, row by row" in (await run("ledger", "rebuild")).stdout

    async with engine.begin() as connection:
        await connection.execute(text("UPDATE entitlements SET state = 'granted', until = NULL, closed_by = NULL WHERE ctid = (SELECT ctid FROM entitlements e WHERE until IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entitlements o WHERE o.until IS NULL AND o.application = e.application AND o.role = e.role) LIMIT 1)"))  # fmt: skip
    wrong = await run("ledger", "rebuild")
    assert wrong.exit_code == 1, wrong.output
    assert "--write puts them right" in wrong.stdout
    assert [d["side"] for d in json.loads((await run("ledger", "rebuild", "--json")).stdout)["differences"]] == ["ledger", "store"]  # fmt: skip

    written = await run("ledger", "rebuild", "--write")
    assert written.exit_code == 0, written.output
    assert await rows(pool, "SELECT * FROM entitlements ORDER BY subject, application, role, since") == whole
    assert (await run("ledger", "rebuild")).exit_code == 0


async def test_whose_body_is_erased_is_left_out(
    run: Run, settings: Settings, client: Client, store: Store
) -> None:
    registry.cache_clear()
    async with lifecycle(settings, client) as person:
        await _lives(person, random.Random(9), 20)
    owner = connect_store(store.model_copy(update={"url": store.owner_url}), "test")
    async with owner.begin() as connection:
        await connection.execute(text("DELETE FROM bodies WHERE delivery = (SELECT id FROM deliveries WHERE hook = 'postUpdateUser' LIMIT 1)"))  # fmt: skip
    await owner.dispose()
    shown = await run("ledger", "rebuild")
    assert shown.exit_code == 0, shown.output
    assert "1 people are left out" in shown.stdout


@pytest.mark.usefixtures("settings")
async def test_it_needs_the_role_that_migrates(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hookledger.toml"
    path.write_text(path.read_text().replace('owner_url = { file = "owner.url" }', ""))
    wrong = await run("ledger", "rebuild")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("store.owner_url is not configured")
    assert (await run("ledger", "rebuild", "--tenant", "as200")).stderr.startswith("no tenant as200")
