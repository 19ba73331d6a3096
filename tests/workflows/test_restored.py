"""Backups that come back: a store older than Temporal, and a Temporal older than the store."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from typer.testing import CliRunner, Result

import settings as configuration
from cli import app
from dev import temporal
from ledger.engine import connect_store, open_pool
from ledger.plan import Ref
from ledger.receive import receive
from ledger.work import Ending, claim, settle
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.sealer import Sealer
from settings import Settings
from tests import backups
from tests.conftest import TEMPLATE
from tests.ledger.sealing import Ledger, connect, database
from tests.support import Servers, rows, validation, write_configuration
from tests.workflows.examples.several import runs
from tests.workflows.lifecycle import Lifecycle, lifecycle

QUICK = """
[sweep]
unrung = 0.1
quiet = 1.0
interval = 0.1
[ledger.seal]
origin = "example.com/test"
keys = [{ name = "first", secret = { file = "seal.key" } }]
[ledger.holder]
file = "held.txt"
"""


@pytest.fixture
async def ledger(servers: Servers) -> AsyncGenerator[Ledger]:
    """The store that will be lost."""
    async with database(servers, TEMPLATE) as ledger:
        yield ledger


@pytest.fixture
def settings(ledger: Ledger, tmp_path: Path) -> Settings:
    """With a key, and a holder in a file."""
    (tmp_path / "seal.key").write_text(base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))
    return write_configuration(tmp_path, ledger.store, QUICK)


@pytest.fixture
def back(servers: Servers, tmp_path: Path) -> Generator[Callable[[], Settings]]:
    """Restores the dump, and gives the settings that point to it."""
    names: list[str] = []

    def restore() -> Settings:
        names.append(backups.restore(servers, tmp_path / "dump"))
        (tmp_path / "store.url").write_text(servers.url("hookledger_app", names[-1]))
        (tmp_path / "owner.url").write_text(servers.url("hookledger_owner", names[-1]))
        return configuration.load(tmp_path / "hookledger.toml")

    yield restore
    for name in names:
        backups.drop(servers, name)


async def command(place: Path, *words: str) -> Result:
    """In a thread: a command runs a loop of its own."""
    runner = CliRunner(env={"HOOKLEDGER_CONFIG": str(place / "hookledger.toml"), "COLUMNS": "160"})
    return await asyncio.to_thread(runner.invoke, app, ["ledger", *words])


async def newest(person: Lifecycle) -> str:
    """The receipt of the person's last delivery."""
    found = await rows(
        person.pool, "SELECT id FROM deliveries WHERE subject = $1 ORDER BY seq DESC LIMIT 1", person.subject
    )
    return found[0]["id"]


async def running(person: Lifecycle) -> bool:
    """Whether a piece of the person's work is claimed."""
    return bool(await rows(person.pool, "SELECT 1 FROM work WHERE state = 'running'"))


async def test_a_store_older_than_temporal(
    servers: Servers,
    client: Client,
    settings: Settings,
    ledger: Ledger,
    back: Callable[[], Settings],
    tmp_path: Path,
) -> None:
    async with lifecycle(settings, client) as person:
        await person.send("badge")
        first = await newest(person)
        await person.ended()
        await receive(person.pool, validation("held", values=[("email", "held@example.com")]))
        await Sealer(settings).seal()
        await person.send("slow")
        slow = await newest(person)
        await person.until(lambda: running(person))
        backups.dump(servers, ledger.store.url.rpartition("/")[2], tmp_path / "dump")
        await person.ended()
        await person.send("badge")
        after = await newest(person)
        await person.ended()
        stranger = Lifecycle(client, person.pool, settings, person.sweep, f"{person.login}.x", [])
        await stranger.send("badge")
        lost = await newest(stranger)
        await stranger.ended()
        await Sealer(settings).seal()
        old = (tmp_path / "held.txt").read_text()
        (tmp_path / "old.txt").write_text(old)
        key = f"{slow}:slow"
        ran = dict(runs)

    settings = back()
    undone = json.loads((await command(tmp_path, "verify", "--json")).stdout)
    assert undone["findings"][0]["kind"] == "restored"
    assert "told of" not in undone["findings"][0]["words"]

    before = await _everything(settings)
    shown = await command(tmp_path, "restored", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert await _everything(settings) == before, "it was only shown"
    size = told["size"]
    assert told["lost"] == {"begin": size, "end": int(old.split("\n")[1]), "origin": "example.com/test"}
    assert told["tenants"]["as100"] == {"claims": 1, "holds": 1, "open": 1}
    hooks = {hook["workflow_id"]: hook for hook in told["lost_hooks"]}
    assert hooks[person.handle.id]["deliveries"] == [after]
    assert hooks[person.handle.id]["known"]
    assert hooks[stranger.handle.id]["deliveries"] == [lost]
    assert not hooks[stranger.handle.id]["known"]
    again = [(x["key"], x["done"]) for x in told["run_again"]]
    assert again == [(key, True)], "what the run says was done, and the store calls claimed"

    done = await command(tmp_path, "restored", "--yes", "--reason", "the disk died", "--actor", "ops")
    assert done.exit_code == 0, done.output
    pool = await open_pool(settings.store, "test")
    [entry] = await rows(pool, "SELECT actor, detail, hook FROM entries WHERE outcome = 'restored'")
    assert (entry["actor"], entry["hook"]) == ("ops", "operator")
    detail = entry["detail"]
    assert detail["origin"].startswith("example.com/test/restored/")
    assert (detail["old"], detail["size"]) == ("example.com/test", size)
    assert detail["lost"] == f"leaves {size} to {told['lost']['end'] - 1}"
    assert (detail["claims"], detail["holds"], detail["unknown hooks"], detail["run again"]) == (1, 1, 2, 1)
    assert await pool.fetchval("SELECT count(*) FROM holds") == 0
    # A worker that still has its claim from before comes too late, whatever its attempt was.
    async with lifecycle(settings, client) as restored:
        restored.login, restored.receipts = person.login, person.receipts[:2]
        await restored.until(lambda: _settled(restored))
        assert (await restored.outcomes())[-1] == (2, "slow", "done")
        assert runs[f"slow:{slow}"] == ran[f"slow:{slow}"] + 1, "external effects: at least once"
        assert runs[f"badge:{first}"] == 1, "what had settled does not run again"
        attempt = await pool.fetchval("SELECT attempt FROM work WHERE activity = 'slow'")
        assert attempt > 10_000
    await pool.close()
    await _proved(tmp_path, old)


async def _proved(place: Path, old: str) -> None:
    """The holder has the new line, and the old one's checkpoint is told of, not called another history."""
    assert (place / "held.txt").read_text().startswith("example.com/test/restored/")
    keys = (await command(place, "checkpoint", "--keys")).stdout.splitlines()
    assert [key.partition("+")[0] for key in keys] == [
        "example.com/test",
        (place / "held.txt").read_text().split("\n")[0],
    ]
    clean = await command(place, "verify")
    assert (clean.exit_code, "everything fits" in clean.stdout) == (0, True), clean.stdout
    kept = json.loads((await command(place, "verify", "--json", "--kept", str(place / "old.txt"))).stdout)
    [finding] = kept["findings"]
    end = int(old.split("\n")[1])
    assert finding["kind"] == "restored"
    assert "restored from an older backup, told of on 2" in finding["words"]
    assert finding["words"].endswith(f"to {end - 1} are lost")
    since = await command(place, "verify", "--since", str(place / "old.txt"))
    assert (since.exit_code, "told of on" in since.stderr) == (2, True)


async def _everything(settings: Settings) -> list[Any]:
    """Rows that the deed would change."""
    root = await connect(settings.store.url)
    found = [
        await root.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("work", "holds", "checkpoints", "entries", "deliveries")
    ]
    await root.close()
    return found


async def _settled(person: Lifecycle) -> bool:
    return await person.open_work() == 0


async def test_a_late_worker_loses(
    settings: Settings, client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    async with lifecycle(settings, client) as person:
        receipt = await person.store("badge")
        ref = Ref(await newest(person), "badge")
    done = await command(tmp_path, "restored", "--yes", "--reason", "a test")
    assert done.exit_code == 0, done.output
    engine = connect_store(ledger.store, "test")
    async with engine.begin() as connection:
        again = await claim(connection, [ref], lease=30)
        assert isinstance(again, tuple)
        assert [c.attempt for c in again[0]] == [10_001]
        for attempt in (1, 2, 50):
            assert await settle(connection, [Ending(ref, attempt, "done")], "late") == {}
    await engine.dispose()
    await client.get_workflow_handle(receipt.workflow_id or "").terminate()


async def test_it_is_refused_while_a_worker_serves(
    settings: Settings, client: Client, tmp_path: Path
) -> None:
    async with lifecycle(settings, client) as person:
        await person.send("badge")
        await person.until(person.outcomes)
        assert "still uses the store" in (await command(tmp_path, "restored")).stdout
        refused = await command(tmp_path, "restored", "--yes", "--reason", "a test")
        assert refused.exit_code == 2
        assert "hookledger worker still uses the store: stop it first" in refused.stderr
        assert await person.pool.fetchval("SELECT count(*) FROM entries WHERE outcome = 'restored'") == 0


async def test_temporal_older_than_the_store(settings: Settings, tmp_path: Path) -> None:
    place = tmp_path / "cluster"
    server = temporal.start(place, search_attributes=SEARCH_ATTRIBUTES)
    client = await Client.connect(server.address)
    async with lifecycle(settings, client) as person:
        await person.send("badge")
        receipts = [await newest(person)]
        await person.ended()
    pool = await open_pool(settings.store, "test")
    person.pool = pool
    await person.send("badge")  # a run that nobody works on yet
    receipts.append(await newest(person))
    server.stop()
    shutil.copytree(place / "temporal", tmp_path / "copy")

    server = temporal.start(place, search_attributes=SEARCH_ATTRIBUTES)
    async with lifecycle(settings, await Client.connect(server.address)) as later:
        later.login, later.receipts = person.login, person.receipts
        await later.until(lambda: _settled(later))
        await later.send("badge")
        receipts.append(await newest(later))
        await later.until(lambda: _settled(later))
    server.stop()

    shutil.rmtree(place / "temporal")
    shutil.copytree(tmp_path / "copy", place / "temporal")
    server = temporal.start(place, search_attributes=SEARCH_ATTRIBUTES)
    client = await Client.connect(server.address)
    person.client = client
    await person.store("badge")
    receipts.append(await newest(person))
    async with lifecycle(settings, client) as back_:
        sweeping = asyncio.create_task(back_.sweep.run())
        back_.login, back_.receipts = person.login, person.receipts
        await back_.until(lambda: _settled(back_))
        await back_.ended()
        sweeping.cancel()
        assert [o[0] for o in await back_.outcomes()] == [1, 2, 3, 4], "one entry each"
    assert [runs[f"badge:{receipt}"] for receipt in receipts] == [1, 1, 1, 1], "nothing is doubled"
    await pool.close()
    server.stop()
