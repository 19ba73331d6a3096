"""What a bench runs on: one durable Postgres, one Temporal, and both sides' real processes."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import activities, bare, naive, policy, traffic
from dev import cluster, postgres, processes, temporal
from dev.collector import collector
from dev.looking import plain_environment
from dev.postgres import Database, Postgres
from dev.temporal import TemporalServer
from runtime.attributes import SEARCH_ATTRIBUTES

ROOT = Path(__file__).resolve().parent.parent
KNOWN_PEOPLE = 10_000
"""People known on both sides before the first hook, so that the uniqueness query has something to search."""

_KNOWN_OURS = f"""
WITH people AS (
    INSERT INTO subjects (id, tenant, workflow_id, seq, created_at)
    SELECT gen_random_uuid(), '{traffic.TENANT}', 'known:' || n, 1, now() FROM generate_series(1, {{known}}) n
    RETURNING id, substr(workflow_id, 7) AS n
), known AS (
    INSERT INTO identities (subject, tenant, delivery, seq) SELECT id, '{traffic.TENANT}', id, 1 FROM people
)
INSERT INTO known_values (tenant, attribute, value, subject)
SELECT '{traffic.TENANT}', u.attribute, u.value, p.id
  FROM people p,
       LATERAL (VALUES ('login', 'known' || p.n), ('email', 'known' || p.n || '@example.com'),
                       ('mobile', '+918' || lpad(p.n, 9, '0'))) AS u (attribute, value);
ANALYZE;
"""
_KNOWN_BARE = f"""
INSERT INTO people (tenant, login, email, mobile)
SELECT '{traffic.TENANT}', 'known' || n, 'known' || n || '@example.com', '8' || lpad(n::text, 9, '0')
  FROM generate_series(1, {{known}}) n;
ANALYZE;
"""
_TEMPLATE = "bench_template"
_AS_OWNER = f"SET ROLE {cluster.OWNER};"

_CONFIGURATION = """
fingerprint_key = {{ env = "BENCH_FINGERPRINT" }}
[store]
url = {{ env = "HOOKLEDGER_DATABASE_URL" }}
owner_url = {{ env = "HOOKLEDGER_OWNER_URL" }}
[temporal]
task_queue = "{queue}"
[tenants.{tenant}.token]
keys = [{{ secret = {{ env = "BENCH_SECRET" }} }}]
[tenants.{tenant}.deprovision]
answer = "always"
{rules}
"""
_OBSERVED = """
[metrics]
api = {api}
worker = {worker}
temporal = {temporal}
[traces]
endpoint = "{collector}"
"""


class BenchError(Exception):
    """A measurement that would not mean anything; the text says why and where to look."""


@dataclass(frozen=True)
class Served:
    """An api of either side: where it listens and the database behind it."""

    port: int
    database: Database
    process: subprocess.Popen[bytes]
    environment: dict[str, str] = field(repr=False)


@dataclass
class Stack:
    """Servers, and the processes that were started on them."""

    directory: Path
    postgres: Postgres
    temporal: TemporalServer
    secret: str
    environment: dict[str, str]
    collector: str
    """Where traces go."""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])
    _migrated: bool = False

    def hookledger(
        self,
        name: str,
        more: str = "",
        *,
        rules: str = policy.HEADER + policy.LOOKUP,
        known: int = KNOWN_PEOPLE,
        observed: bool = True,
    ) -> Served:
        """Our api on a fresh database of that name, with the bench's activities, so many known people and rules.

        `more` is configuration. Metrics and traces are on, as they are where anybody looks after it, if `observed`.
        """
        database, environment = self.configured(name, rules + more, observed=observed)
        self.postgres.sql(_AS_OWNER + _KNOWN_OURS.format(known=known), database.name)
        return self._serve("api", ["cli.py", "api"], environment, database)

    def configured(
        self, name: str, rules: str = policy.HEADER, *, observed: bool = True
    ) -> tuple[Database, dict[str, str]]:
        """A fresh database of ours of that name, and the environment of our processes on it."""
        if not self._migrated:
            self._migrate()
        database = self.postgres.database(name, template=_TEMPLATE)
        return database, self._configured(database, rules + (self._observed() if observed else ""))

    def restarted(self, api: Served) -> Served:
        """Our api anew on the same database: what it still had to ring for is forgotten with the old process."""
        self.running.remove(api.process)
        processes.kill(api.process)
        return self._serve("api", ["cli.py", "api"], api.environment, api.database)

    def hookledger_worker(self, api: Served) -> None:
        """Our worker beside that api."""
        self._spawn("worker", ["cli.py", "worker"], api.environment)

    def bare(self, name: str, *, known: int = KNOWN_PEOPLE) -> Served:
        """The bare reference on a fresh database of that name, with so many known people."""
        database = self.postgres.database(name)
        self.postgres.sql(_AS_OWNER + bare.SCHEMA + _KNOWN_BARE.format(known=known), database.name)
        environment = self.environment | {
            "BARE_DATABASE_URL": database.owner_url,
            "BARE_LOOKUP": str(self._lookup()),
        }
        return self._serve("bare", ["-m", "bench.bare"], environment, database)

    def naive(self, name: str) -> Served:
        """The naive design, api and worker, on a fresh database of that name."""
        database = self.postgres.database(name)
        self.postgres.sql(
            _AS_OWNER + naive.NAIVE_SCHEMA + _KNOWN_BARE.format(known=KNOWN_PEOPLE), database.name
        )
        environment = self.environment | {"BARE_DATABASE_URL": database.owner_url}
        self._spawn("naive-worker", ["-m", "bench.naive"], environment)
        return self._serve("naive-api", ["-m", "bench.naive"], environment, database)

    def end(self, served: Served) -> None:
        """Ends an api that is not needed any more."""
        self.running.remove(served.process)
        processes.end(served.process, grace=10)

    def load_command(self, what: str, port: int, *options: str) -> list[str]:
        """The command line of a load generator; it needs `environment`."""
        return [sys.executable, "-m", "bench.load", what, "--port", str(port), *options]

    def temporal_cpu(self) -> float:
        """CPU seconds that the Temporal server has used."""
        return cpu_of(self.temporal.process.pid)

    def wait_until_quiet(self, within: float = 120.0) -> None:
        """Returns once nothing of a measurement is under way any more. Raises BenchError if that never comes."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            before = self._cpu_of_all()
            time.sleep(0.4)
            self._check_all_run()
            if self._cpu_of_all() - before < 0.06:
                return
        raise BenchError(f"the stack was still busy {within:.0f} s after a measurement")

    def stop(self) -> None:
        """Ends all processes, last started first, and removes the data."""
        for process in reversed(self.running):
            processes.end(process, grace=5)
        self.temporal.stop()
        self.postgres.stop()
        cluster.remove(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _migrate(self) -> None:
        """Makes the database that ours are copied from: migrated once, with the bench's table."""
        database = self.postgres.database(_TEMPLATE)
        command = [sys.executable, "cli.py", "migrate"]
        environment = self._configured(database, policy.HEADER)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"migrate failed: {done.stderr.strip()}")
        self.postgres.sql(_AS_OWNER + activities.SCHEMA, database.name)
        self._migrated = True

    def _lookup(self) -> Path:
        file = self.directory / "mailboxes.csv"
        file.write_text(policy.lookup_csv(), encoding="ascii")
        return file

    def _observed(self) -> str:
        ports = {name: processes.free_port() for name in ("api", "worker", "temporal")}
        return _OBSERVED.format(collector=self.collector, **ports)

    def _configured(self, database: Database, rules: str) -> dict[str, str]:
        """The environment of our processes on that database."""
        self._lookup()
        configuration = self.directory / f"{database.name}.toml"
        # A queue per database: what races leave behind must not be run among the storms.
        text = _CONFIGURATION.format(queue=database.name, tenant=traffic.TENANT, rules=rules)
        configuration.write_text(text, encoding="ascii")
        return self.environment | {
            "HOOKLEDGER_CONFIG": str(configuration),
            "HOOKLEDGER_DATABASE_URL": database.app_url,
            "HOOKLEDGER_OWNER_URL": database.owner_url,
        }

    def _serve(
        self, name: str, command: list[str], environment: dict[str, str], database: Database
    ) -> Served:
        port = processes.free_port()
        process = self._spawn(name, [*command, "--port", str(port)], environment)
        until = time.monotonic() + 20
        while not _listens(port):
            self._check_all_run()
            if time.monotonic() > until:
                raise BenchError(f"{name} does not listen; see {self.directory}/logs/{name}.log")
            time.sleep(0.05)
        return Served(port, database, process, environment)

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        log = self.directory / "logs" / f"{name}.log"
        process = processes.spawn([sys.executable, *command], log=log, env=environment, cwd=ROOT)
        self.running.append(process)
        return process

    def _cpu_of_all(self) -> float:
        return sum(cpu_of(p.pid) for p in [*self.running, self.temporal.process])

    def _check_all_run(self) -> None:
        for process in self.running:
            if process.poll() is not None:
                logs = self.directory / "logs"
                words = "\n".join(processes.tail(log, 5) for log in logs.glob("*.log") if log.stat().st_size)
                raise BenchError(f"a process ended ({process.returncode}); the ends of the logs:\n{words}")


@contextmanager
def stack() -> Generator[Stack]:
    """A running stack with durable Postgres under .hookledger/, which goes when it is left."""
    directory = ROOT / ".hookledger" / f"bench-{os.getpid()}"
    cluster.make(directory.parent)
    pg = postgres.start(directory, durable=True)
    try:
        server = temporal.start(directory, search_attributes=SEARCH_ATTRIBUTES)
    except BaseException:
        pg.stop()
        raise
    secret = secrets.token_urlsafe(32)
    with collector(keeps=False) as traces:
        made = Stack(directory, pg, server, secret, _environment(server, secret), traces.endpoint)
        try:
            yield made
        finally:
            made.stop()


def _environment(server: TemporalServer, secret: str) -> dict[str, str]:
    return plain_environment() | {
        "BENCH_SECRET": secret,
        "BENCH_FINGERPRINT": secrets.token_urlsafe(32),
        "BARE_TENANT": traffic.TENANT,
        "HOOKLEDGER_ACTIVITIES": "bench.activities",
        "TEMPORAL_ADDRESS": server.address,
        "TEMPORAL_NAMESPACE": server.namespace,
        "PYTHONPATH": str(ROOT),
    }


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def cpu_of(pid: int) -> float:
    """CPU seconds of a process; 0 of one that ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
