"""The embedded Postgres: one server on a directory of ours, its roles, and databases on it."""

import contextlib
import fcntl
import signal
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dev import accounts, cluster, keys, processes
from dev.cluster import APP, KEEPER, OWNER, ROLES, SUPERUSER
from dev.processes import Account, StackError

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements carry personal data: neither they nor the DETAIL that quotes a row reach the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_CREATE = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE %I', :'name', :'owner', :'template')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"app", :"keeper";
GRANT TEMPORARY ON DATABASE :"name" TO :"app";
"""


@dataclass(frozen=True)
class Database:
    """One database, by the address of each role: postgresql://role:password@127.0.0.1:port/name."""

    name: str
    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    keeper_url: str = field(repr=False)


@dataclass(frozen=True)
class Postgres:
    """A running server. `process` is None for one that was found running; `stop` leaves that one alone."""

    port: int
    directory: Path
    log: Path
    process: subprocess.Popen[bytes] | None
    durable: bool
    passwords: dict[str, str] = field(repr=False)

    def database(self, name: str, template: str = "template1") -> Database:
        """That database, made if it is missing, as a copy of `template` (nobody may be connected to that one then)."""
        self.sql(_CREATE, name=name, template=template, owner=OWNER, app=APP, keeper=KEEPER)
        return Database(name, *(self.url(role, name) for role in (OWNER, APP, KEEPER)))

    def drop(self, name: str) -> None:
        """Drops that database, if it is there, and ends the connections that are open to it."""
        self.sql('DROP DATABASE IF EXISTS :"name" WITH (FORCE);', name=name)

    def url(self, role: str, database: str = "postgres") -> str:
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def sql(self, script: str, database: str = "postgres", **variables: str) -> str:
        """Runs a psql script as superuser, returns its bare output; raises StackError with the server's words."""
        command = [str(cluster.binary("psql")), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", SUPERUSER, "-d", database]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        env = {
            "PGPASSWORD": self.passwords[SUPERUSER],
            "PGCONNECT_TIMEOUT": "10",
            "PGOPTIONS": "-c client_min_messages=warning",
        }
        done = subprocess.run(command, input=script, capture_output=True, text=True, env=env, check=False)
        if done.returncode:
            raise StackError(f"Postgres refused: {done.stderr.strip()}; its log is {self.log}")
        return done.stdout

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back. The data of a throwaway server goes too."""
        if self.process is None:
            return
        processes.end(self.process, signal.SIGINT, grace=30)
        if not self.durable:
            cluster.remove(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(directory: Path, port: int | None = None, *, durable: bool = True) -> Postgres:
    """Starts the server whose data is `directory`/postgres, or finds it running, then whatever its port.

    `directory` gets `postgres/` (data), `secrets/postgres-*` (passwords, 0600) and `logs/postgres.log`. Without
    `port` a free one is taken. `durable=False` is for tests: no fsync, and `stop` removes the data.
    The server ends with the calling thread (see `processes.spawn`). Raises StackError.
    """
    directory = directory.absolute()
    log = directory / "logs" / "postgres.log"
    cluster.make(directory)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with _alone(directory):
        account = accounts.for_server()
        data = cluster.place(directory, account, durable=durable)
        passwords, renewed = _passwords(directory / "secrets")
        if pid := cluster.running(data):
            if renewed:
                raise StackError(
                    f"Postgres runs on {data} with other passwords (process {pid}): end it, then start again"
                )
            return Postgres(cluster.port(data), directory, log, None, durable, passwords)
        cluster.check_version(data)
        cluster.clear_stale(data)
        if renewed or not data.exists():
            cluster.prepare(data, account, passwords, durable=durable)
        command, port = _command(data, port, account, durable=durable)
        process = processes.spawn(
            command, log=log, env=cluster.ENVIRONMENT, account=account, cwd=Path("/"), last_will=signal.SIGINT
        )
        server = Postgres(port, directory, log, process, durable, passwords)
        try:
            _wait_until_ready(process, data, log)
        except BaseException:
            server.stop()
            raise
        return server


def end_leftover(directory: Path) -> int | None:
    """Ends a server that a killed start left behind on `directory`; its process id, or None if there was none."""
    data = (directory / "postgres").resolve()
    pid = cluster.running(data)
    if pid and (process := processes.find(pid)):
        process.send_signal(signal.SIGINT)
        process.wait(30)
    return pid


def _command(
    data: Path, port: int | None, account: Account | None, *, durable: bool
) -> tuple[list[str | Path], int]:
    if port is not None and not processes.is_free(port):
        raise StackError(
            f"port {port} is taken: Postgres cannot listen there; end who does, or choose another"
        )
    port = port or processes.free_port()
    # A socket's path has at most 107 bytes (unix(7)); without one, TCP remains.
    socket = data if len(bytes(data)) < 80 else ""
    settings = _SETTINGS | (_DURABLE if durable else _THROWAWAY)
    settings |= {"port": str(port), "unix_socket_directories": str(socket)}
    command: list[str | Path] = [cluster.binary("postgres", account), "-D", data]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command, port


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Waits for a living server however long: after a crash it first replays its log."""
    while not cluster.is_ready(data, process.pid):
        if process.poll() is not None:
            raise StackError(f"Postgres did not start; the end of {log}:\n{processes.tail(log)}")
        time.sleep(0.02)


def _passwords(directory: Path) -> tuple[dict[str, str], bool]:
    made = {role: keys.read_or_make(directory / f"postgres-{role}") for role in ROLES}
    return {role: text for role, (text, _) in made.items()}, any(new for _, new in made.values())


@contextlib.contextmanager
def _alone(directory: Path) -> Generator[None]:
    """Two starts on one directory go one after the other."""
    with (directory / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
