"""SIGTERM of api and worker in the middle of stories: nothing answered is lost, nothing is doubled. `make chaos` kills them."""

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus

from ledger.engine import Pool
from rules.normal import login as normal_login
from runtime.long_lived import WATCH
from tests.journeys.processes import ROOT, Journey, own_store, until_settled
from tests.support import Servers, rows

USERS = 5


async def _simulate(journey: Journey, record: Path) -> asyncio.subprocess.Process:
    secret = journey.settings.tenants["as100"].token.keys[0].secret
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.simulate", "--url", journey.url, "--secret-env", "SECRET", "--json"),
        *("--users", str(USERS), "--seed", "7", "--tempo", "0.05", "--keep-trying", "--deadline", "0"),
        *("--record", str(record)),
        cwd=ROOT,
        env={"SECRET": secret, "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _compare(pool: Pool, record: Path) -> None:
    """The simulator's own record against the ledger."""
    sent: Counter[tuple[str, str]] = Counter()
    answered: Counter[tuple[str, str]] = Counter()
    for line in map(json.loads, record.read_text().splitlines()):
        if line["user"] is None:
            continue
        key = (normal_login(line["user"]), line["hook"].lower())
        sent[key] += 1
        answered[key] += bool(line["answered"] and line["status"] == 200)
    stored: Counter[tuple[str, str]] = Counter()
    query = """SELECT h.value AS login, lower(d.hook) AS hook, count(*) AS n FROM deliveries d
                 JOIN (SELECT DISTINCT subject, value FROM handles WHERE kind = 'login') h ON h.subject = d.subject
                GROUP BY 1, 2"""
    for row in await rows(pool, query):
        stored[row["login"], row["hook"]] += row["n"]
    assert sum(answered.values()) > USERS * 15
    lost = {key: n - stored[key] for key, n in answered.items() if stored[key] < n}
    invented = {key: stored[key] - n for key, n in sent.items() if stored[key] > n}
    assert (lost, invented) == ({}, {})
    doubled = await rows(
        pool,
        """SELECT delivery, activity, count(*) FROM entries WHERE activity IS NOT NULL
            GROUP BY 1, 2 HAVING count(*) > 1""",
    )
    missing = await rows(
        pool,
        """SELECT w.delivery, w.activity FROM work w LEFT JOIN entries e USING (delivery, activity)
            WHERE e.id IS NULL""",
    )
    gaps = await rows(
        pool, "SELECT id FROM subjects s WHERE seq <> (SELECT count(*) FROM deliveries WHERE subject = s.id)"
    )
    assert (doubled, missing, gaps) == ([], [], [])


async def test_sigterm_drains_api_and_worker(servers: Servers, tmp_path: Path) -> None:
    store, pool = await own_store(servers)
    journey = Journey.begin(tmp_path, store)
    try:
        journey.start("api")
        journey.start("worker")
        await journey.ready()
        story = await _simulate(journey, tmp_path / "record.jsonl")
        await asyncio.sleep(2)
        assert await asyncio.to_thread(journey.end, "worker", signal.SIGTERM) == 0
        assert await asyncio.to_thread(journey.end, "api", signal.SIGTERM) == 0
        journey.start("api")
        journey.start("worker")
        output, _ = await asyncio.wait_for(story.communicate(), 120)
        assert story.returncode == 0, output.decode()
        await until_settled(pool, 60)
        watch = (await journey.client()).get_workflow_handle(WATCH.id(journey.settings.temporal.task_queue))
        assert (await watch.describe()).status is WorkflowExecutionStatus.RUNNING
        await _compare(pool, tmp_path / "record.jsonl")
    finally:
        journey.stop()
        await pool.close()
