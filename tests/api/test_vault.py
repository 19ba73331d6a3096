"""What becomes of a hook's password at the edge: sealed under the hour's key, or said not to be kept; never the hook lost."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from activities import Event, Hook, Tools, activity
from activities._registry import registry
from ledger.engine import Pool
from runtime.vault import Folder, epoch_of, open_folder, open_vault
from runtime.worker import assemble
from settings import Settings, Store
from tests.api.edge import Edge, configure, listen
from tests.api.leaks import PASSWORD
from tests.api.people import person
from tests.support import Servers, rows

_told: dict[str, str | None] = {}


@activity(on=Hook.CHANGE_PASSWORD, secret=True)
async def sync(event: Event, tools: Tools) -> None:
    """Hands the password on."""
    _told[event.delivery] = event.secret


@pytest.fixture(autouse=True)
def _needing(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", __name__)
    registry.cache_clear()
    yield
    registry.cache_clear()


def _configured(tmp_path: Path, store: Store) -> Settings:
    return configure(tmp_path, store, api='deadline = 5.0\n[vault]\nfolder = "vault"')


async def _change(edge: Edge, pool: Pool) -> tuple[list[str], bytes | None]:
    """The delivery's outcomes, and what is sealed of it."""
    user = person()
    assert await edge.answer("changePassword", {"user": user, "passwordText": PASSWORD}) == {}
    login = str(user["login"]).lower()
    [delivery] = await rows(
        pool,
        "SELECT d.id, array(SELECT outcome FROM entries e WHERE e.delivery = d.id ORDER BY e.id) AS outcomes "
        "FROM deliveries d JOIN handles h ON h.subject = d.subject AND h.kind = 'login' AND h.value = $1",
        login,
    )
    sealed = await pool.fetchval("SELECT sealed FROM vault WHERE delivery = $1", delivery["id"])
    if sealed is not None:
        assert PASSWORD.encode() not in sealed
        assert open_vault(edge.settings).unseal(delivery["id"], sealed) == PASSWORD
    return delivery["outcomes"], sealed


async def test_a_password_is_sealed_under_the_hours_key(store: Store, pool: Pool, tmp_path: Path) -> None:
    async with listen(_configured(tmp_path, store)) as edge:
        outcomes, sealed = await _change(edge, pool)
        keys = open_folder(edge.settings)
    assert isinstance(keys, Folder)
    assert sealed is not None
    assert epoch_of(sealed) in keys.epochs()
    assert outcomes == ["received"]


async def test_where_no_key_seals_the_hook_is_recorded_without(
    store: Store, pool: Pool, tmp_path: Path
) -> None:
    (tmp_path / "vault").write_text("no folder")
    async with listen(_configured(tmp_path, store)) as edge:
        assert await _change(edge, pool) == (["received", "secret not kept"], None)
        health = await edge.http.get(httpx.URL(f"http://127.0.0.1:{edge.port}/health/ready"))
    assert (health.status_code, health.json()["status"]) == (200, "ready")
    assert "cannot be used" in health.json()["vault"]


async def test_without_a_folder_it_is_not_kept_either(store: Store, pool: Pool, tmp_path: Path) -> None:
    async with listen(configure(tmp_path, store, api="deadline = 5.0")) as edge:
        assert await _change(edge, pool) == (["received", "secret not kept"], None)


async def test_a_copy_of_the_store_opens_nothing_once_the_key_is_destroyed(
    store: Store, pool: Pool, tmp_path: Path
) -> None:
    """The row as a backup, a replica or the write-ahead log would have it, and every secret that there is."""
    async with listen(_configured(tmp_path, store)) as edge:
        _, copy = await _change(edge, pool)
        keys = open_folder(edge.settings)
    assert copy is not None
    assert keys is not None
    [delivery] = await rows(pool, "SELECT delivery FROM vault WHERE sealed = $1", copy)
    assert open_vault(edge.settings).unseal(delivery["delivery"], copy) == PASSWORD
    for epoch in keys.epochs():
        keys.destroy(epoch, "expired", "test")
    assert open_vault(edge.settings).unseal(delivery["delivery"], copy) is None


async def _waits(pool: Pool, delivery: str) -> bool:
    return await pool.fetchval("SELECT count(*) FROM vault WHERE delivery = $1", delivery) > 0


async def test_the_worker_opens_what_the_api_sealed_and_then_nothing_is_left(
    store: Store, pool: Pool, tmp_path: Path, client: Client
) -> None:
    settings = _configured(tmp_path, store)
    user = person()
    async with listen(settings) as edge, assemble(settings, client) as parts, parts.worker:
        await edge.answer("changePassword", {"user": user, "passwordText": PASSWORD})
        [delivery] = await rows(
            pool,
            "SELECT d.id FROM deliveries d JOIN handles h ON h.subject = d.subject AND h.value = $1",
            str(user["login"]).lower(),
        )
        async with asyncio.timeout(20):
            # It is there from the answer on, and goes with the activity's outcome.
            while await _waits(pool, delivery["id"]):  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.05)
    assert _told[delivery["id"]] == PASSWORD
    assert await rows(
        pool, "SELECT outcome FROM entries WHERE delivery = $1 AND activity = 'sync'", delivery["id"]
    ) == [{"outcome": "done"}]
