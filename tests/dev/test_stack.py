"""`make dev` from the first start to the last: real servers, and commands that are as small as they can be."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from dev import cluster, home, postgres, processes
from dev.processes import StackError
from dev.stack import ROOT, Options, run

_FAKE = Path(__file__).with_name("fake_commands.py")
_RUN = """
import json, sys
from pathlib import Path
from dev.stack import Options, run
given = json.loads(sys.argv[1])
sys.exit(run(Options(**given | {"root": Path(given["root"]), "command": tuple(given["command"])})))
"""


@dataclass
class Dev:
    """A running `make dev`; its words as they come."""

    process: subprocess.Popen[str]
    root: Path

    def until(self, told: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout
        heard = ""
        for line in self.process.stdout:
            heard += line
            if told(entry := cast("dict[str, Any]", json.loads(line))):
                return entry
        raise AssertionError(heard)

    def ready(self) -> dict[str, Any]:
        return self.until(lambda entry: entry["message"] == "ready")

    def children(self) -> dict[str, psutil.Process]:
        """By name: postgres, temporal, api, query, worker."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            line = child.cmdline()
            found[line[2] if _FAKE.name in line[1] else Path(line[0]).name] = child
        return found

    def end(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        self.process.communicate(timeout=40)
        return self.process.returncode


@pytest.fixture
def root(tmp_path: Path) -> Generator[Path]:
    """A clone's root, with a configuration and nothing else."""
    shutil.copy(ROOT / "hookledger.toml", tmp_path)
    yield tmp_path
    directory = tmp_path / ".hookledger"
    if directory.is_dir():
        home.end_leftovers(directory)
        postgres.end_leftover(directory)
        cluster.remove(directory)


@pytest.fixture
def start(root: Path) -> Generator[Callable[..., Dev]]:
    ports = {name: processes.free_port() for name in ("port", "query_port", "ui_port", "temporal_port")}
    started: list[Dev] = []

    def start(**options: object) -> Dev:
        given = {
            **ports,
            "root": str(root),
            "command": [sys.executable, str(_FAKE)],
            "json_logs": True,
            **options,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN, json.dumps(given)],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("HOOKLEDGER_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(Dev(process, root))
        return started[-1]

    yield start
    for dev in started:
        if dev.process.poll() is None:
            dev.end(signal.SIGTERM)


def _options(root: Path, **ports: int) -> Options:
    """With free ports, but for those given."""
    free = processes.free_port
    return replace(Options(free(), free(), free(), free(), root=root), **cast("dict[str, Any]", ports))


def _wait(gone: list[psutil.Process]) -> list[psutil.Process]:
    return psutil.wait_procs(gone, timeout=15)[1]


def test_a_day_of_make_dev(start: Callable[..., Dev], root: Path) -> None:
    dev = start()
    shown = dev.ready()
    assert shown["webhooks"].endswith("/webhook/<hook>")
    assert shown["temporal_ui"].endswith("/namespaces/default/workflows")
    assert set(shown["metrics"]) == {"api", "query", "worker", "temporal"}
    children = dev.children()
    assert set(children) == {"postgres", "temporal", "api", "query", "worker"}
    assert shown["ledger"].endswith("/ledger")
    assert shown["console"].endswith("/console")
    assert shown["key"].startswith("./hookledger key new --role operator")

    # Its files: secrets for nobody else, an environment for other terminals.
    for name in ("webhook.key", "fingerprint.key", "seal.key"):
        secret = root / ".hookledger" / "secrets" / name
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert len(secret.read_text(encoding="ascii").strip()) >= 43
    assert stat.S_IMODE((root / ".hookledger").stat().st_mode) & 0o066 == 0
    assert stat.S_IMODE((root / ".hookledger" / "env").stat().st_mode) == 0o600

    # A second one says who has the place.
    second = start()
    refused, _ = second.process.communicate(timeout=30)
    assert second.process.returncode == 2
    assert f"process {dev.process.pid}" in refused

    # Whatever is killed comes back.
    for name in ("api", "query", "worker", "temporal", "postgres"):
        children[name].kill()
        dev.until(lambda entry, name=name: (entry["from"], entry["message"]) == (name, "runs again"))
    again = dev.children()
    assert set(again) == set(children)
    assert not {child.pid for child in again.values()} & {child.pid for child in children.values()}

    # Ctrl-C lets them finish, and leaves nobody.
    assert dev.end(signal.SIGINT) == 0
    assert not _wait(list(again.values()))
    said = (root / "said").read_text(encoding="utf-8")
    assert "api drained" in said
    assert "worker drained" in said
    assert said.index("migrate started") < said.index("api started")


def test_kill_9_leaves_nobody_and_the_next_start_finds_the_data(
    start: Callable[..., Dev], root: Path
) -> None:
    dev = start()
    dev.ready()
    before = list(dev.children().values())
    secret = (root / ".hookledger" / "secrets" / "webhook.key").read_text(encoding="ascii")
    with postgres.start(root / ".hookledger") as attached:
        attached.sql("CREATE TABLE kept AS SELECT 7 AS a", "hookledger")
    dev.end(signal.SIGKILL)
    following = start()
    following.ready()
    assert not _wait(before)
    with postgres.start(root / ".hookledger") as attached:
        assert attached.sql("SELECT a FROM kept", "hookledger").strip() == "7"
    assert (root / ".hookledger" / "secrets" / "webhook.key").read_text(encoding="ascii") == secret
    assert following.end(signal.SIGTERM) == 0


def test_https_with_a_certificate_of_its_own(start: Callable[..., Dev], root: Path) -> None:
    dev = start(tls=True)
    shown = dev.ready()
    assert shown["webhooks"].startswith("https://127.0.0.1:")
    certificate = root / ".hookledger" / "tls" / "certificate.pem"
    assert f"--cacert {certificate}" in shown["curl"][0]
    assert stat.S_IMODE((certificate.parent / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("command", ["migrate", "api"])
def test_a_command_that_fails_at_the_start_is_quoted(
    start: Callable[..., Dev], root: Path, command: str
) -> None:
    (root / f"broken-{command}").touch()
    dev = start()
    out, _ = dev.process.communicate(timeout=60)
    assert dev.process.returncode == 2
    assert f"{command} is broken" in out
    assert not (root / ".hookledger" / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("field", "option"), [("port", "--port"), ("query_port", "--query-port"), ("ui_port", "--ui-port")]
)
def test_a_taken_port_is_named_with_the_way_out(
    root: Path, capsys: pytest.CaptureFixture[str], field: str, option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        assert run(_options(root, **{field: port})) == 2
    said = capsys.readouterr().err
    assert f"port {port} is taken by process {os.getpid()}" in said
    assert f'make dev ARGS="{option} ' in said


def test_a_full_disk_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)._replace(free=100 * 2**20)

    def nearly_full(_: Path) -> object:
        return usage

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    assert run(Options(root=root)) == 2
    assert "only 100 MiB are free" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".hookledger").write_text("in the way", encoding="ascii")
    assert run(Options(root=root)) == 2
    said = capsys.readouterr().err
    assert ".hookledger" in said
    assert "Traceback" not in said


def test_what_the_system_refuses_comes_with_a_way_out() -> None:
    with pytest.raises(StackError, match=r"/x: Permission denied; .*owner"), home.in_words():
        raise PermissionError(13, "Permission denied", "/x")
    with pytest.raises(StackError, match="make room"), home.in_words():
        raise OSError(28, "No space left on device", "/x")


def test_a_mistake_in_the_configuration_is_named_with_its_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (root / "hookledger.toml").open("a", encoding="utf-8") as file:
        file.write("\n[bel]\n")
    before = dict(os.environ)
    assert run(_options(root)) == 2
    assert dict(os.environ) == before
    assert "hookledger.toml:" in capsys.readouterr().err
