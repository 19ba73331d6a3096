"""What happens on the way: callers who go, answers that take too long, too many at a time, and much of it."""

import asyncio
import hashlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from api.query.formats import RECEIPT
from dev.processes import end, free_port, spawn
from ledger.engine import Pool
from ledger.questions import Column, Question, questions
from ledger.questions.parameters import Parameters
from ledger.receive import receive
from settings import Settings, Store
from tests.api.query.asking import Desk, configure, listen, make
from tests.architecture.tree import ROOT
from tests.support import Servers, delivery, rows

_SQL = """
    SELECT g AS n, CAST(:tenant AS text) AS tenant, repeat('x', 1000) AS text, {wait}
      FROM generate_series(greatest(CAST(:after_n AS int) + 1, 1), 1000000) g LIMIT :limit
"""


def _question(name: str, wait: str) -> Question:
    columns = (Column("n", "number", ""), Column("tenant", "text", ""), Column("text", "text", ""))
    return Question(name, name, name, Parameters, columns, ("n",), _SQL.format(wait=wait))


SLOW = _question("slow", "pg_sleep(0.02)")
STUCK = _question("stuck", "pg_sleep(60)")
ENDLESS = _question("endless", "1")

Listening = Callable[[str], AbstractAsyncContextManager[Desk]]


@pytest.fixture
def listening(servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listening:
    """The listener as configured, with three questions of the test's own."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    more = {q.name: q for q in (SLOW, STUCK, ENDLESS)}
    monkeypatch.setattr("api.query.questions.questions", lambda: {**questions(), **more})

    @asynccontextmanager
    async def listening(query: str) -> AsyncGenerator[Desk]:
        async with listen(configure(tmp_path, store, query)) as desk:
            yield desk

    return listening


async def _running(pool: Pool) -> int:
    return await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state <> 'idle' AND query LIKE '%pg_sleep%'"
    )


async def _until(condition: Callable[[], Any], wanted: object, seconds: int = 15) -> None:
    for _ in range(20 * seconds):
        if await condition() == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{await condition()} and not {wanted} after {seconds} s")


async def _outcomes(pool: Pool) -> list[str]:
    return [
        e["outcome"]
        for e in await rows(pool, "SELECT outcome FROM entries WHERE hook = 'access' ORDER BY id")
    ]


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/csv"])
async def test_a_caller_who_goes_takes_the_statement_along(
    listening: Listening, pool: Pool, accept: str
) -> None:
    async with listening("concurrent = 1\nburst = 50\nconnections = 1") as desk:
        text, _ = await make(desk.settings, "auditor", "as100")
        headers = {"Authorization": f"Bearer {text}", "Accept": accept}
        async with httpx.AsyncClient(
            trust_env=False, timeout=0.7, base_url=f"http://127.0.0.1:{desk.port}"
        ) as http:
            asked = asyncio.create_task(http.get("/ledger/stuck", headers=headers))
            await _until(lambda: _running(pool), 1)
            with pytest.raises(httpx.ReadTimeout):
                await asked

        await _until(lambda: _running(pool), 0)

        async def asked_again() -> int:
            return (await desk.get("/ledger/endless", text, limit=1)).status_code

        # Its place and its connection are free again, once it is taken down.
        await _until(asked_again, 200)
    if accept != "application/json":
        assert (await _outcomes(pool))[:2] == ["reading", "broken off"]


async def test_a_reader_who_goes_in_the_middle_is_taken_down_with_what_they_got(
    listening: Listening, pool: Pool
) -> None:
    async with listening("") as desk:
        text, _ = await make(desk.settings, "auditor", "as100")
        headers = {"Authorization": f"Bearer {text}", "Accept": "application/x-ndjson"}
        async with desk.http.stream("GET", "/ledger/endless", headers=headers) as answer:
            receipt = answer.headers[RECEIPT]
            await anext(answer.aiter_bytes())

        async def taken_down() -> list[str]:
            found = await rows(
                pool, "SELECT outcome FROM entries WHERE delivery = $1::uuid ORDER BY id", receipt
            )
            return [e["outcome"] for e in found]

        await _until(taken_down, ["reading", "broken off"])
    [detail] = await rows(pool, "SELECT detail FROM entries WHERE outcome = 'broken off'")
    assert 0 < detail["detail"]["rows"] < 1_000_000


async def test_a_statement_that_takes_too_long_is_ended_and_said(listening: Listening, pool: Pool) -> None:
    async with listening("statement_timeout = 0.3") as desk:
        text, _ = await make(desk.settings, "auditor", "as100")
        page = await desk.get("/ledger/stuck", text)
        whole = await desk.get("/ledger/stuck", text, accept="text/csv")

    assert [a.status_code for a in (page, whole)] == [503, 503]
    assert page.json()["type"] == whole.json()["type"] == "urn:hookledger:problem:took_too_long"
    assert await _running(pool) == 0


async def test_a_stream_that_takes_too_long_is_never_taken_for_whole(
    listening: Listening, pool: Pool
) -> None:
    async with listening("longest = 4.0") as desk:
        text, _ = await make(desk.settings, "auditor", "as100")
        headers = {"Authorization": f"Bearer {text}", "Accept": "text/csv"}
        began = time.monotonic()

        async def read_slowly() -> None:
            async with desk.http.stream("GET", "/ledger/endless", headers=headers) as answer:
                assert answer.status_code == 200
                async for _ in answer.aiter_bytes():
                    await asyncio.sleep(0.05)

        with pytest.raises(httpx.RemoteProtocolError):
            await read_slowly()
        assert time.monotonic() - began < 30
        await _until(lambda: _outcomes(pool), ["reading", "broken off"])


async def test_whole_answers_leave_connections_to_pages_and_a_caller_has_bounds(
    listening: Listening, pool: Pool
) -> None:
    async with listening("connections = 2\nconcurrent = 2\nburst = 7\nrate = 0.01") as desk:
        text, _ = await make(desk.settings, "auditor", "as100")
        other, _ = await make(desk.settings, "auditor", "as100")
        headers = {"Authorization": f"Bearer {text}", "Accept": "text/csv"}
        async with desk.http.stream("GET", "/ledger/endless", headers=headers) as first:
            assert first.status_code == 200
            second = await desk.get("/ledger/endless", other, accept="text/csv")
            page = await desk.get("/ledger/endless", other, limit=1)
            stuck = asyncio.create_task(desk.get("/ledger/stuck", text))
            await _until(lambda: _running(pool), 1)
            third = await desk.get("/ledger/endless", text, limit=1)
            stuck.cancel()
        assert (second.status_code, second.json()["type"]) == (429, "urn:hookledger:problem:too_many_exports")
        assert page.status_code == 200
        assert (third.status_code, third.json()["type"]) == (429, "urn:hookledger:problem:too_many_at_once")
        assert int(third.headers["retry-after"]) >= 1
        await _until(lambda: _running(pool), 0)
        for _ in range(5):
            await desk.get("/ledger/endless", other, limit=1)
        fast = await desk.get("/ledger/endless", other, limit=1)
        assert (fast.status_code, fast.json()["type"]) == (429, "urn:hookledger:problem:too_fast")


MANY = 60_000


async def test_the_process_streams_much_in_little_memory(
    servers: Servers, settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    """`./hookledger query` itself, over all that one person has."""
    text, _ = await make(settings, "auditor", "as100")
    await receive(pool, delivery("much.person"))
    [subject] = await rows(pool, "SELECT id FROM subjects")
    for _ in range(6):
        await pool.execute(
            "INSERT INTO entries (at, tenant, subject, delivery, hook, outcome, actor, code_version, rules_hash, detail)"
            f" SELECT clock_timestamp(), 'as100', $1::uuid, gen_random_uuid(), 'postUpdateUser', 'done', 'tester', 'test',"
            f" 'test', jsonb_build_object('more', repeat('x', 600)) FROM generate_series(1, {MANY // 6})",
            subject["id"],
        )
    port = free_port()
    environment = {
        **os.environ,
        "HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml"),
        "TEMPORAL_ADDRESS": servers.temporal,
    }
    command = [sys.executable, str(ROOT / "cli.py"), "query", "--port", str(port)]
    process = spawn(command, log=tmp_path / "query.log", env=environment, cwd=ROOT)
    try:
        async with httpx.AsyncClient(
            trust_env=False, timeout=60, base_url=f"http://127.0.0.1:{port}"
        ) as http:
            await _until(lambda: _is_ready(http), True, 60)
            headers = {"Authorization": f"Bearer {text}"}
            asked = {"person": "much.person"}
            assert (await http.get("/ledger/person", headers=headers, params=asked)).status_code == 200
            before = psutil.Process(process.pid).memory_info().rss
            size, lines, digest = 0, 0, hashlib.sha256()
            most = before
            lined = headers | {"Accept": "application/x-ndjson"}
            async with http.stream("GET", "/ledger/person", headers=lined, params=asked) as answer:
                receipt = answer.headers[RECEIPT]
                async for part in answer.aiter_bytes():
                    size, lines = size + len(part), lines + part.count(b"\n")
                    digest.update(part)
                    most = max(most, psutil.Process(process.pid).memory_info().rss)
    finally:
        assert end(process, signal.SIGTERM), "it does not drain"
    assert lines > MANY
    assert size > 40 * 2**20
    assert most - before < 24 * 2**20, f"{(most - before) >> 20} MiB for {size >> 20} MiB"
    [read] = await rows(
        pool, "SELECT detail FROM entries WHERE delivery = $1::uuid AND outcome = 'read'", receipt
    )
    assert read["detail"]["sha256"] == digest.hexdigest()
    assert process.returncode == 0


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health/ready")).is_success
    except httpx.TransportError:
        return False
