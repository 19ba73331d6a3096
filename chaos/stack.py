"""The processes of a chaos run: two apis, two workers, Temporal and Postgres, each of which may be ended and started again."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos import activities
from chaos.desk import Desk
from chaos.relay import Relay
from chaos.wires import Wires
from dev import cluster, postgres, processes, temporal
from dev.looking import answers, plain_environment
from dev.postgres import Database, Postgres
from dev.temporal import TemporalServer
from runtime.attributes import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parent.parent
TENANT = "chaos"
APIS = ("api1", "api2")
WORKERS = ("worker1", "worker2")
RELEASES = ("chaos.activities", "chaos.activities,chaos.later")
"""What releases have, in turn: every other one brings an activity, the next one is without it again."""

_CONFIGURATION = """
fingerprint_key = {{ env = "CHAOS_FINGERPRINT" }}
[store]
url = {{ env = "HOOKLEDGER_DATABASE_URL" }}
owner_url = {{ env = "HOOKLEDGER_OWNER_URL" }}
[spool]
folder = "spool"
[vault]
folder = "vault"
[temporal]
task_queue = "chaos"
[sweep]
interval = 1.0
unrung = 3.0
quiet = 20.0
[tenants.{tenant}.token]
keys = [{{ secret = {{ env = "CHAOS_SECRET" }} }}]
[tenants.{tenant}.rules]
mode = "on"
[tenants.{tenant}.deprovision]
answer = "always"
brake = 1000000
"""


class ChaosError(Exception):
    """The run cannot begin or go on; the text says why and where to look."""


@dataclass
class Stack:
    """Everything that runs, by name. To be used by the thread that made it: children end with it."""

    home: Path
    postgres: Postgres
    temporal: TemporalServer
    database: Database
    wires: Wires
    ports: dict[str, int]
    environment: dict[str, str] = field(repr=False)
    secret: str = field(repr=False)
    releases: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*APIS, *WORKERS), 0))
    """Which release a process is of: a later one has a higher number, also where it takes something back."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    @property
    def url(self) -> str:
        """Where hooks are sent: the balancer."""
        return f"http://127.0.0.1:{self.wires.balancer.port}/webhook"

    def start(self, name: str) -> None:
        """Starts an api or a worker, of the release that it has."""
        release = self.releases[name]
        environment = self.environment | {
            "HOOKLEDGER_ACTIVITIES": RELEASES[release % len(RELEASES)],
            "HOOKLEDGER_VERSION": f"release {release}",
        }
        command = [sys.executable, "cli.py", name[:-1]]
        if name in APIS:
            command += ["--port", str(self.ports[name])]
        else:
            relay = self.wires.temporal[WORKERS.index(name)]
            environment["TEMPORAL_ADDRESS"] = f"127.0.0.1:{relay.port}"
        log = self.home / "logs" / f"{name}.log"
        self.running[name] = processes.spawn(command, log=log, env=environment, cwd=ROOT)

    def end(self, name: str, number: signal.Signals) -> None:
        """Ends an api or a worker by that signal, and waits for it."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            processes.kill(process)
            raise ChaosError(
                f"{name} did not drain within 60 s of SIGTERM; see {self.home}/logs/{name}.log"
            ) from None

    def tell_postgres(self, number: signal.Signals) -> None:
        """Sends Postgres a signal: SIGTERM is a smart shutdown, which ends once all its sessions have."""
        if self.postgres.process is not None:
            self.postgres.process.send_signal(number)

    def end_postgres(self, number: signal.Signals) -> None:
        """Ends Postgres: SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGKILL a crash."""
        self.tell_postgres(number)
        if self.postgres.process is not None:
            self.postgres.process.wait(60)

    def start_postgres(self) -> None:
        """Starts Postgres on the same data and port; after a crash it recovers first."""
        until = time.monotonic() + 60
        while True:
            try:
                self.postgres = postgres.start(self.home, self.postgres.port)
                return
            except processes.StackError:
                # The children of a killed postmaster hold its memory until they notice.
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def end_temporal(self, number: signal.Signals) -> None:
        """Ends Temporal."""
        self.temporal.process.send_signal(number)
        self.temporal.process.wait(60)

    def start_temporal(self) -> None:
        """Starts Temporal on the same data and port."""
        port = int(self.temporal.address.rpartition(":")[2])
        self.temporal = temporal.start(self.home, port=port, search_attributes=SEARCH_ATTRIBUTES)

    def wait_until_taking(self, within: float = 60.0) -> None:
        """Returns once every api that runs takes connections: one may be down for a moment, if two things break at once."""
        until = time.monotonic() + within
        while not all(answers(self.ports[name], "/health/live") for name in APIS if name in self.running):
            self.check()
            if time.monotonic() > until:
                raise ChaosError(f"an api does not listen; see {self.home}/logs")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises ChaosError if something ended that nobody ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                log = self.home / "logs" / f"{name}.log"
                raise ChaosError(
                    f"{name} ended by itself ({process.returncode}); the end of {log}:\n{processes.tail(log, 8)}"
                )

    def stop(self) -> None:
        """Ends all, the last started first."""
        for process in reversed(self.running.values()):
            processes.end(process, grace=10)
        self.temporal.stop()
        self.postgres.stop()


@contextmanager
def stack(keep: bool = False) -> Generator[Stack]:
    """A stack under .hookledger/, durable as in production; its data go when it is left, unless asked to keep them.

    Where a run cannot go on they stay: the logs tell why.
    """
    home = ROOT / ".hookledger" / f"chaos-{os.getpid()}"
    cluster.make(home.parent)
    pg = postgres.start(home, durable=True)
    try:
        server = temporal.start(home, search_attributes=SEARCH_ATTRIBUTES)
        ports = {name: processes.free_port() for name in APIS}
        temporal_port = int(server.address.rpartition(":")[2])
        wires = Wires(
            balancer=Relay(list(ports.values())),
            store=Relay([pg.port]),
            temporal=(Relay([temporal_port]), Relay([temporal_port])),
            desk=Desk(),
        )
        with wires.running():
            made = _made(home, pg, server, wires, ports)
            try:
                yield made
            except ChaosError:
                keep = True
                raise
            finally:
                made.stop()
    finally:
        if not keep:
            cluster.remove(home)
            shutil.rmtree(home, ignore_errors=True)


def _made(home: Path, pg: Postgres, server: TemporalServer, wires: Wires, ports: dict[str, int]) -> Stack:
    database = pg.database("chaos")
    secret = secrets.token_urlsafe(32)
    configuration = home / "hookledger.toml"
    configuration.write_text(_CONFIGURATION.format(tenant=TENANT), encoding="utf-8")
    environment = plain_environment() | {
        "CHAOS_SECRET": secret,
        "CHAOS_FINGERPRINT": secrets.token_urlsafe(32),
        "CHAOS_DESK": f"http://127.0.0.1:{wires.desk.port}/",
        "HOOKLEDGER_CONFIG": str(configuration),
        "HOOKLEDGER_DATABASE_URL": database.app_url.replace(f":{pg.port}/", f":{wires.store.port}/"),
        "HOOKLEDGER_OWNER_URL": database.owner_url,
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "cli.py", "migrate"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChaosError(f"migrate failed: {done.stderr.strip()}")
    pg.sql(f"SET ROLE {cluster.OWNER};" + activities.SCHEMA, database.name)
    made = Stack(home, pg, server, database, wires, ports, environment, secret)
    for name in (*APIS, *WORKERS):
        made.start(name)
    made.wait_until_taking()
    return made
