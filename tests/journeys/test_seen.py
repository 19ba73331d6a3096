"""A real api and a real worker tell how they are doing."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import psutil
import pytest

from api.auth import mint
from dev.processes import free_port
from ledger.engine import Pool
from settings import Store
from tests.journeys.processes import Journey

_BODY = {"request": {"user": {"login": "seen.person", "email": "seen.person@example.com"}}}


@dataclasses.dataclass
class Watched:
    """A stack and the ports on which its processes tell."""

    journey: Journey
    api: int
    worker: int
    temporal: int


@pytest.fixture
async def watched(store: Store, tmp_path: Path) -> AsyncGenerator[Watched]:
    """Started, one hook answered, and asked without a token once."""
    journey = Journey.begin(tmp_path, store)
    ports = [free_port() for _ in range(3)]
    with (tmp_path / "hookledger.toml").open("a") as file:
        file.write(
            f'[spool]\nfolder = "spool"\n[metrics]\nevery = 1\napi = {ports[0]}\nworker = {ports[1]}\ntemporal = {ports[2]}\n'
        )
    try:
        journey.start("api")
        journey.start("worker")
        await journey.ready()
        token = mint("as100", journey.settings)
        async with httpx.AsyncClient() as client:
            headers = {"Authorization": f"Bearer {token}"}
            for hook in ("validateUser", "postCreateUser", "postCreateUser"):
                answer = await client.post(f"{journey.url}/{hook}", json=_BODY, headers=headers)
                assert answer.status_code == 200
            assert (await client.post(f"{journey.url}/test", json={})).status_code == 401
        yield Watched(journey, *ports)
    finally:
        journey.stop()


async def _until(port: int, path: str, *parts: str) -> str:
    said = ""
    async with httpx.AsyncClient() as client:
        for _ in range(200):
            try:
                said = (await client.get(f"http://127.0.0.1:{port}{path}")).text
            except httpx.TransportError as wrong:
                said = type(wrong).__name__
            if all(part in said for part in parts):
                return said
            await asyncio.sleep(0.1)
    raise AssertionError(f"{[p for p in parts if p not in said]} are not in {said}")


async def test_api_and_worker_tell_how_they_are_doing(watched: Watched, pool: Pool) -> None:
    said = await _until(
        watched.api,
        "/metrics",
        'hookledger_hooks_total{hook="postCreateUser",status="200",tenant="as100",verdict="received"} 2.0',
        'hookledger_hook_duration_seconds_count{hook="validateUser",verdict="passed"} 1.0',
        'hookledger_refusals_total{reason="missing_token",tenant=""} 1.0',
        "hookledger_store_up 1.0",
        "hookledger_breaker_open 0.0",
        "hookledger_ring_queue ",
        "hookledger_token_age_seconds_count 1.0",
        "process_resident_memory_bytes",
    )
    assert "seen.person" not in said
    priorities = {name: psutil.Process(one.pid).nice() for name, one in watched.journey.processes.items()}
    assert priorities["worker"] > priorities["api"], "who waits goes first"
    said = await _until(
        watched.worker,
        "/metrics",
        "hookledger_store_up 1.0",
        "hookledger_temporal_up 1.0",
        "hookledger_worker_polling 1.0",
        "hookledger_oldest_unsettled_work_seconds ",
        "hookledger_checkpoint_age_seconds ",
        "hookledger_vault_secrets ",
    )
    assert "seen.person" not in said
    await _until(watched.temporal, "/metrics", "temporal_")
    await _until(watched.worker, "/health/ready", '"status": "ready"', '"polling": "ok"', '"sweep": "ok"')
    await _until(watched.api, "/health/live", '"status": "live"')


async def test_a_worker_without_temporal_is_not_ready_and_lives(watched: Watched) -> None:
    await _until(watched.worker, "/health/ready", '"status": "ready"')
    watched.journey.server.process.kill()
    await _until(watched.worker, "/health/ready", '"status": "not ready"', '"temporal": "out of reach"')
    await _until(watched.worker, "/health/live", '"status": "live"')
