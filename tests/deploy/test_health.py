"""The health checks of api, query and worker."""

import asyncio
import http.server
import os
import socket
import threading
import tomllib
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from deploy import polling, ready
from runtime.client import connect
from settings import Settings
from tests.support import Servers


class _Api(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[type[_Api]]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        path = tmp_path / "hookledger.toml"
        path.write_text(f"[api]\nport = {server.server_port}\n[query]\nport = {server.server_port}\n")
        monkeypatch.setenv("HOOKLEDGER_CONFIG", str(path))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield _Api
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_api_is_healthy_while_it_is_ready(
    api: type[_Api], monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    monkeypatch.setattr(api, "status", status)
    assert [ready.main(), ready.main("query")] == [code, code]


@pytest.mark.parametrize("name", ["api", "query"])
def test_the_listener_of_metrics_is_asked_where_there_is_one(
    api: type[_Api], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With mutual TLS no other can be asked without a certificate."""
    path = Path(os.environ["HOOKLEDGER_CONFIG"])
    port = path.read_text().split()[3]
    locked = f'[{name}.tls]\ncertificate = "a.pem"\nkey = "a.key"\nclient_ca = "ca.pem"\n'
    path.write_text(f'{locked}[metrics]\nhost = "0.0.0.0"\n{name} = {port}\n')
    assert ready.main(name) == 0
    monkeypatch.setattr(api, "status", 503)
    assert ready.main(name) == 1


def test_the_port_of_metrics_in_the_environment_goes_before(
    api: type[_Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(os.environ["HOOKLEDGER_CONFIG"])
    monkeypatch.setenv("HOOKLEDGER_METRICS_PORT", path.read_text().split()[3])
    path.write_text("[metrics]\napi = 1\n")
    assert ready.main() == 0
    monkeypatch.setenv("HOOKLEDGER_METRICS_PORT", "0")
    assert ready.main() == 1


def test_without_metrics_it_says_that_it_has_no_certificate(
    api: type[_Api], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(os.environ["HOOKLEDGER_CONFIG"]).write_text('[api.tls]\nclient_ca = "ca.pem"\n')
    assert ready.main() == 1
    assert "give [metrics] api = PORT" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["api", "query"])
def test_the_shipped_configuration_has_metrics_to_ask(name: str) -> None:
    shipped = tomllib.loads((Path(ready.__file__).parent / "hookledger.toml").read_text())
    assert shipped["metrics"][name]


def test_api_is_not_healthy_when_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        (tmp_path / "hookledger.toml").write_text(f"[api]\nport = {free.getsockname()[1]}\n")
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    assert ready.main() == 1


@workflow.defn
class _Nothing:
    @workflow.run
    async def run(self) -> None:
        pass


async def test_worker_is_heard_by_the_name_that_it_gives_itself(
    settings: Settings, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_queue = settings.temporal.task_queue
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    assert await asyncio.to_thread(polling.main, os.getpid()) == 1
    client, runner = await connect(lazy=False, name="worker"), UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=task_queue, workflows=[_Nothing], workflow_runner=runner):
        await client.execute_workflow(_Nothing.run, id=task_queue, task_queue=task_queue)
        assert await asyncio.to_thread(polling.main, os.getpid()) == 0
        assert await asyncio.to_thread(polling.main, os.getpid() + 1) == 1, "another worker polls"


@pytest.mark.usefixtures("settings")
async def test_a_poll_of_long_ago_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def long_ago(*_: str) -> datetime:
        return datetime.now(UTC) - timedelta(minutes=3)

    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    monkeypatch.setattr(polling, "heard", long_ago)
    assert await asyncio.to_thread(polling.main) == 1
