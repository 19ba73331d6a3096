"""Backups of a test's database as an operator makes them: pg_dump, and pg_restore into a new one."""

import os
import subprocess
import uuid
from pathlib import Path

from dev import cluster
from dev.cluster import SUPERUSER
from tests.support import Servers


def dump(servers: Servers, database: str, file: Path) -> None:
    """The whole database, in one snapshot."""
    _run(servers, "pg_dump", "-Fc", "-f", str(file), database)


def restore(servers: Servers, file: Path) -> str:
    """A new database from it; gives its name. Whoever asks for it drops it."""
    name = f"restored_{uuid.uuid4().hex[:12]}"
    statement = f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE template0'
    _run(servers, "psql", "-Xq", "-d", "postgres", "-c", statement)
    _run(servers, "pg_restore", "--exit-on-error", "-d", name, str(file))
    return name


def drop(servers: Servers, name: str) -> None:
    """Ends who is connected, too."""
    _run(servers, "psql", "-Xq", "-d", "postgres", "-c", f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(servers: Servers, program: str, *arguments: str) -> None:
    where = ("-h", "127.0.0.1", "-p", str(servers.port), "-U", SUPERUSER)
    env = os.environ | {"PGPASSWORD": servers.passwords[SUPERUSER]}
    subprocess.run([cluster.binary(program), *where, *arguments], env=env, check=True, capture_output=True)
