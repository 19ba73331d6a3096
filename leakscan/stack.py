"""What the story is played on: the real processes, at debug level, with the login kept out of Temporal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev import cluster, postgres, processes, temporal
from dev.looking import answers, plain_environment
from dev.postgres import Database, Postgres
from dev.temporal import TemporalServer
from leakscan.sentinels import Sentinels
from runtime.attributes import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parent.parent
TENANTS = ("first", "second")

_HEAD = """
fingerprint_key = { file = "fingerprint.key" }
[store]
url = { file = "store.url" }
owner_url = { file = "owner.url" }
keeper_url = { file = "keeper.url" }
[spool]
folder = "spool"
[vault]
folder = "vault"
[metrics]
api = {api}
query = {query}
worker = {worker}
temporal = {temporal}
[temporal]
task_queue = "leakscan"
show_login = false
[sweep]
interval = 0.5
unrung = 1.0
[ledger.seal]
origin = "leakscan.example/ledger"
interval = 2
keys = [{ name = "first", secret = { file = "seal.key" } }]
"""
_TRACES = """
[traces]
endpoint = "{}"
sample = 1
"""
_TENANT = """
[tenants.{name}.token]
keys = [{{ secret = {{ file = "{name}.key" }} }}]
[tenants.{name}.deprovision]
answer = "always"
[tenants.{name}.rules]
mode = "on"
[tenants.{name}.platform]
url = "https://platform.example"
token = {{ file = "{name}.platform" }}
"""


class ScanError(Exception):
    """The scan cannot be made; the text says why."""


@dataclass
class Stack:
    """The servers and processes, and where they are."""

    home: Path
    postgres: Postgres
    temporal: TemporalServer
    database: Database
    environment: dict[str, str] = field(repr=False)
    api_port: int
    query_port: int
    metrics: dict[str, int]
    """Where api, query, worker and Temporal's SDK tell how they are doing."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])
    environments: dict[int, bytes] = field(default_factory=dict[int, bytes], repr=False)
    """Of our processes, read as they began: later they close themselves to all but root."""

    def command(self, *words: str, good: tuple[int, ...] = (0,)) -> str:
        """Runs `./hookledger …` and gives what it printed. Raises ScanError."""
        done = subprocess.run(
            [sys.executable, "cli.py", *words],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        with (self.home / "logs" / "commands.log").open("a") as log:
            log.write(done.stderr)
        if done.returncode not in good:
            raise ScanError(
                f"{' '.join(words[:2])} ended with {done.returncode}; see {self.home}/logs/commands.log"
            )
        return done.stdout

    def key(self, role: str, tenant: str | None) -> str:
        """A new key of the query API, for one tenant or for all."""
        whose = ["--tenant", tenant] if tenant else ["--all-tenants"]
        made = self.command(
            "key", "new", "--role", role, *whose, "--label", "scan", "--reason", "scan", "--json"
        )
        return str(json.loads(made)["key"])

    def start(self, name: str, *options: str) -> None:
        """Starts one of our processes."""
        log = self.home / "logs" / f"{name}.log"
        command = [sys.executable, "cli.py", name, *options]
        process = processes.spawn(command, log=log, env=self.environment, cwd=ROOT)
        self.running[name] = process
        self.environments[process.pid] = Path(f"/proc/{process.pid}/environ").read_bytes()

    def start_all(self) -> None:
        """Starts api, query and worker, and waits for the listeners."""
        self.start("api", "--port", str(self.api_port))
        self.start("query", "--port", str(self.query_port))
        self.start("worker")
        until = time.monotonic() + 60
        while not (answers(self.api_port) and answers(self.query_port)):
            if time.monotonic() > until:
                raise ScanError(f"api or query did not become ready; see {self.home}/logs")
            time.sleep(0.1)

    def away(self) -> None:
        """Takes Postgres away at once."""
        if self.postgres.process is not None:
            self.postgres.process.send_signal(signal.SIGQUIT)
            self.postgres.process.wait(30)

    def back(self) -> None:
        """Brings it back."""
        self.postgres = postgres.start(self.home, self.postgres.port)

    def stop(self) -> None:
        """Ends everything."""
        for process in reversed(self.running.values()):
            processes.end(process, grace=20)
        self.temporal.stop()
        self.postgres.stop()


@contextmanager
def stack(sentinels: Sentinels, more: str = "") -> Generator[Stack]:
    """A stack under .hookledger/ whose data go when it is left. Its keys are sentinels, too. `more` is configuration."""
    home = ROOT / ".hookledger" / f"leakscan-{os.getpid()}"
    cluster.make(home.parent)
    pg = postgres.start(home, durable=True)
    try:
        server = temporal.start(home, search_attributes=SEARCH_ATTRIBUTES)
        try:
            database = pg.database("leakscan")
            metrics = {name: processes.free_port() for name in ("api", "query", "worker", "temporal")}
            made = Stack(
                home,
                pg,
                server,
                database,
                _environment(home, server),
                processes.free_port(),
                processes.free_port(),
                metrics,
            )
            _configure(home, database, sentinels, metrics, more)
            made.command("migrate")
        except BaseException:
            server.stop()
            raise
        try:
            yield made
        finally:
            made.stop()
    finally:
        cluster.remove(home)
        shutil.rmtree(home, ignore_errors=True)


def traced(endpoint: str) -> str:
    """Configuration under which every delivery's trace goes there."""
    return _TRACES.format(endpoint)


def _configure(
    home: Path, database: Database, sentinels: Sentinels, metrics: dict[str, int], more: str
) -> None:
    """Secrets are files, as in production: the environment holds none."""
    keys = {"fingerprint.key": "fingerprint key", **{f"{t}.key": f"webhook key of {t}" for t in TENANTS}}
    keys |= {f"{t}.platform": f"platform token of {t}" for t in TENANTS}
    for file, name in keys.items():
        _put(home / file, sentinels.plain(name) + sentinels.plain(f"{name}, second half"))
    seed = os.urandom(32)
    _put(
        home / "seal.key",
        sentinels.remember("seal key", urlsafe_b64encode(seed).decode().rstrip("="), secret=True),
    )
    for role in ("app", "owner", "keeper"):
        url: str = getattr(database, f"{role}_url")
        _put(home / ("store.url" if role == "app" else f"{role}.url"), url)
        password = url.partition("://")[2].partition("@")[0].partition(":")[2]
        sentinels.remember(f"password of the {role}'s role", password, secret=True)
    head = _HEAD
    for name, port in metrics.items():
        head = head.replace(f"{{{name}}}", str(port))
    text = head + "".join(_TENANT.format(name=name) for name in TENANTS) + more
    (home / "hookledger.toml").write_text(text, encoding="utf-8")


def _put(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _environment(home: Path, server: TemporalServer) -> dict[str, str]:
    return plain_environment() | {
        "HOOKLEDGER_CONFIG": str(home / "hookledger.toml"),
        "HOOKLEDGER_ACTIVITIES": "leakscan.activities",
        "HOOKLEDGER_LOG_LEVEL": "debug",
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
        "PYTHONPATH": str(ROOT),
    }
