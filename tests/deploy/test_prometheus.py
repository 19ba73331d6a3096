"""What is in deploy/ for Prometheus and Grafana works on a real Prometheus that scrapes a real api and worker."""

import asyncio
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from dev.processes import free_port
from ledger.engine import Pool
from settings import Store
from tests.commands.databases import database
from tests.commands.stored import ended
from tests.conftest import TEMPLATE
from tests.journeys.processes import Journey
from tests.support import Servers

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
_ANCHOR = re.compile(r"docs/observe\.md#([a-z-]+)")
_NAME = re.compile(r"\bhookledger_[a-z_]+")
_SERIES = re.compile(r"\bhookledger_[a-z_]+(?:\{[^}]*\})?")


@pytest.fixture(scope="module")
def binaries() -> Path:
    """Where prometheus and promtool are. Without them this fails: it is never skipped."""
    script = subprocess.run(
        ["sh", ROOT / "dev" / "prometheus.sh"], capture_output=True, text=True, check=False
    )
    assert script.returncode == 0, script.stderr
    return Path(script.stdout.strip())


def _watched() -> list[str]:
    return re.findall(r"^ +expr: (.+)$", (DEPLOY / "alerts.yml").read_text(), re.MULTILINE)


def _drawn() -> list[str]:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_promtool_finds_nothing(binaries: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [binaries / "promtool", *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "observe.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    alerts = (DEPLOY / "alerts.yml").read_text()
    named = _ANCHOR.findall(alerts)
    assert len(named) == alerts.count("- alert: ") > 10
    assert set(named) <= anchors


def test_every_alert_is_seen_to_come_and_to_keep_quiet() -> None:
    """By promtool, above: an alert that nobody has seen fire may never do so."""
    named = re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yml").read_text())
    told: dict[str, Any] = json.loads((DEPLOY / "alerts_test.yml").read_text().partition("\n")[2])
    looks = [look for test in told["tests"] for look in test["alert_rule_test"]]
    for comes in (True, False):
        assert set(named) == {look["alertname"] for look in looks if bool(look["exp_alerts"]) is comes}


def test_a_process_that_is_gone_is_missed_by_the_name_of_its_job() -> None:
    asked = set(re.findall(r"job_name: (\S+)", (DEPLOY / "prometheus.yml").read_text()))
    missed = {job for expression in _watched() for job in re.findall(r'job="([^"]+)"', expression)}
    assert {"hookledger-api", "hookledger-query"} <= missed <= asked


def _in_peace(series: str) -> str:
    """With any status: one that an api gives in trouble only is not to be had here."""
    return series.replace('status=~"5.."', 'status=~"4.."')


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A store of the test's own: its trouble is nobody else's."""
    async with database(servers, TEMPLATE) as store:
        yield store


@pytest.fixture
async def trouble(store: Store, pool: Pool, engine: AsyncEngine) -> Store:
    """The store with a failed piece of work, one that is held, and an incident."""
    await ended(pool, engine, "asha", "failed")
    await ended(pool, engine, "ravi", "failed", held=True)
    await pool.execute(
        "INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at) "
        "VALUES ($1, 'as100', 'mail', 'Unavailable:HTTP 500', now(), now(), now())",
        uuid.uuid4(),
    )
    return store


@pytest.fixture
async def prometheus(binaries: Path, trouble: Store, tmp_path: Path) -> AsyncGenerator[str]:
    """The address of one that scrapes an api and a worker of its own."""
    ports = {9464: free_port(), 9466: free_port(), 9467: free_port()}
    own = free_port()
    journey = Journey.begin(tmp_path, trouble)
    with (tmp_path / "hookledger.toml").open("a") as file:
        file.write(f'[spool]\nfolder = "spool"\n[metrics]\nevery = 1\napi = {ports[9464]}\n')
        file.write(f"worker = {ports[9466]}\ntemporal = {ports[9467]}\n")
    folder = tmp_path / "prometheus"
    shutil.copytree(DEPLOY, folder)
    told = (folder / "prometheus.yml").read_text().replace("_interval: 10s", "_interval: 1s")
    for usual, port in ports.items():
        told = told.replace(f":{usual}", f":{port}")
    (folder / "prometheus.yml").write_text(told)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
            [
                binaries / "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        journey.start("api")
        journey.start("worker")
        await journey.ready()
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{journey.url}/test", json={})).status_code == 401
        yield f"http://127.0.0.1:{own}"
    finally:
        server.kill()
        server.wait(10)
        journey.stop()


async def _query(client: httpx.AsyncClient, expression: str) -> list[Any]:
    try:
        answer = await client.get("/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    assert answer.status_code in (200, 503), f"{expression}: {answer.text}"
    return answer.json()["data"]["result"] if answer.status_code == 200 else []


async def test_every_metric_that_is_drawn_or_watched_exists(prometheus: str) -> None:
    missing = {name for expression in _drawn() for name in _NAME.findall(expression)}
    missing |= {_in_peace(series) for expression in _watched() for series in _SERIES.findall(expression)}
    assert len(missing) > 20
    missing.add('{__name__=~"temporal_.+"}')
    async with httpx.AsyncClient(base_url=prometheus) as client:
        for _ in range(150):
            missing = {name for name in missing if not await _query(client, name)}
            if not missing:
                break
            await asyncio.sleep(0.2)
        assert not missing
        for expression in (*_drawn(), *_watched()):
            plain = expression.replace("$tenant", ".*").replace("$instance", ".*")
            await _query(client, plain)  # says so where it is no PromQL
