"""Every place where something may have stayed, as octets. A place that cannot be read ends the scan."""

import asyncio
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import psutil
from temporalio.client import Client

from dev import cluster
from leakscan.stack import ScanError, Stack
from leakscan.story import Told, octets


@dataclass(frozen=True, slots=True)
class Place:
    """One place. `kind` says how it was read; in the ledger's own database (`inside`) personal values may be."""

    kind: str
    name: str
    data: bytes = field(repr=False)
    inside: bool = False


def while_away(stack: Stack) -> list[Place]:
    """What is on the api's disk while Postgres is away: that would be gone afterwards."""
    folder = stack.home / "spool"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if not any(path.name.startswith("journal-") and path.stat().st_size for path in files):
        raise ScanError("nothing was spooled while Postgres was away")
    return [Place("spool", path.name, path.read_bytes()) for path in files]


def spools(stack: Stack) -> bool:
    """Whether the api's disk holds something that the store has not got yet."""
    return any((stack.home / "spool").glob("journal-*"))


def processes(stack: Stack) -> Iterator[Place]:
    """Arguments and environment of everything that runs."""
    ours = [*stack.running.values(), stack.temporal.process]
    parents = [process.pid for process in ours] + (
        [stack.postgres.process.pid] if stack.postgres.process else []
    )
    for pid in parents:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            place = Path(f"/proc/{process.pid}")
            name = process.name()
            yield Place("process arguments", f"{name} {process.pid}", (place / "cmdline").read_bytes())
            environment = stack.environments.get(process.pid) or (place / "environ").read_bytes()
            yield Place("process environment", f"{name} {process.pid}", environment)


def listeners(stack: Stack) -> Iterator[Place]:
    """What anybody may ask for."""
    health = ("/health/live", "/health/ready")
    for port, paths in (
        (stack.api_port, (*health, "/openapi.json", "/docs", "/ledger/checkpoint")),
        (stack.query_port, (*health, "/ledger/checkpoint")),
        *((stack.metrics[name], health) for name in ("api", "query", "worker")),
    ):
        for path in paths:
            answer = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
            yield Place("answers", f"GET {path} at {port}", octets(answer))
    for name, port in stack.metrics.items():
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
        if answer.status_code != 200 or not answer.content:
            raise ScanError(f"the metrics of {name} cannot be read")
        yield Place("metrics", name, octets(answer))


async def histories(stack: Stack) -> list[Place]:
    """Every history, and what the UI shows of every run."""
    client = await Client.connect(stack.temporal.address, namespace=stack.temporal.namespace)
    found: list[Place] = []
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        history = await handle.fetch_history()
        told = await handle.describe()
        found.append(Place("Temporal's histories", run.id, history.to_json().encode()))
        raw = b"".join(event.SerializeToString() for event in history.events)
        found.append(Place("Temporal's histories", f"{run.id} in octets", raw))
        found.append(Place("Temporal's descriptions", run.id, told.raw_description.SerializeToString()))
    if not found:
        raise ScanError("Temporal has no history")
    return found


def dumps(stack: Stack) -> Iterator[Place]:
    """Every database of the server by pg_dump, and its roles."""
    names = stack.postgres.sql("SELECT datname FROM pg_database WHERE datallowconn").split()
    names = [name for name in names if name.replace("_", "").isalnum() and name != "datname"]
    if stack.database.name not in names:
        raise ScanError(f"the server's databases could not be listed: {names}")
    for name in names:
        data = _run("pg_dump", "--dbname", stack.postgres.url("postgres", name), "--inserts")
        if b"PostgreSQL database dump complete" not in data:
            raise ScanError(f"pg_dump of {name} is not complete")
        yield Place("database dumps", name, data, inside=name == stack.database.name)
    yield Place(
        "roles",
        "pg_dumpall",
        _run("pg_dumpall", "--globals-only", "--dbname", stack.postgres.url("postgres")),
    )


def files(stack: Stack) -> Iterator[Place]:
    """All files of Postgres and Temporal, all logs, and whatever else lies in the folder but for the keys themselves.

    The vault's keys are looked through, too: they are wrapped.
    """
    seen: set[bytes] = set()
    if not any((stack.home / "vault").glob("*.key")):
        raise ScanError("the vault has no key: no secret was sealed")
    keys = {path for path in stack.home.iterdir() if path.suffix in {".key", ".url", ".platform"}}
    for path in sorted(stack.home.rglob("*")):
        if path in keys or path.parent == stack.home / "secrets":
            continue
        yield from _file(path, path.relative_to(stack.home), seen)
    elsewhere = (stack.home / "postgres").resolve()
    if not elsewhere.is_relative_to(stack.home):
        for path in sorted(elsewhere.rglob("*")):
            yield from _file(path, Path("postgres") / path.relative_to(elsewhere), seen)


def _file(path: Path, name: Path, seen: set[bytes]) -> Iterator[Place]:
    """A file, once for all that are like it: three databases hold the same catalogs."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        data = path.read_bytes()
    except FileNotFoundError:
        if name.is_relative_to("postgres/pg_wal"):
            return  # a segment of the log that was recycled meanwhile
        raise ScanError(f"{path} vanished before it was read") from None
    except OSError as wrong:
        raise ScanError(f"{path} cannot be read ({wrong.strerror})") from None
    digest = sha256(data).digest()
    kind, inside = _kind(name)
    yield Place(kind, str(name), b"" if digest in seen else data, inside)
    seen.add(digest)


def _kind(path: Path) -> tuple[str, bool]:
    match path.parts:
        case ("postgres", "pg_wal", *_):
            return "WAL", True
        case ("postgres", *_):
            return "data files", True
        case ("temporal", *_):
            return "Temporal's files", False
        case ("logs", *_):
            return "logs", False
        case ("vault", *_):
            return "vault", False
        case _:
            return "other files", False


def _run(program: str, *options: str) -> bytes:
    done = subprocess.run(
        [str(cluster.binary(program, None)), *options],
        env=dict(os.environ) | {"PGOPTIONS": "-c statement_timeout=0"}, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ScanError(f"{program} ended with {done.returncode}")
    return done.stdout


def answers(told: Told) -> Iterator[Place]:
    """What wrong callers were answered."""
    for name, data in told.answers.items():
        yield Place("answers", name, data)


def exported(batches: list[bytes]) -> Iterator[Place]:
    """What api and worker sent to the collector of traces."""
    sent = b"".join(batches)
    for process in (b"hookledger-api", b"hookledger-worker"):
        if process not in sent:
            raise ScanError(f"no traces came of {process.decode()}")
    yield from (Place("traces", f"batch {number}", batch) for number, batch in enumerate(batches))


def read_histories(stack: Stack) -> list[Place]:
    """`histories`, for a caller without a loop."""
    return asyncio.run(histories(stack))
