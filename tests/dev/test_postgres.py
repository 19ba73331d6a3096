"""The embedded Postgres: who may do what on it, what it keeps, and how it comes back."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from dev import cluster, postgres, processes
from dev.postgres import Database, Postgres
from dev.processes import StackError

_ASYNCPG: Any = asyncpg  # it has no types of its own


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Postgres]:
    with postgres.start(tmp_path_factory.mktemp("throwaway"), durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def database(server: Postgres) -> Database:
    return server.database("one")


@pytest.fixture
def kept(tmp_path: Path) -> Generator[Path]:
    """A directory whose data outlives its servers, until the test ends."""
    yield tmp_path
    postgres.end_leftover(tmp_path)
    cluster.remove(tmp_path)


async def _ask(url: str, query: str) -> str:
    connection = await _ASYNCPG.connect(url)
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


async def test_each_role_enters_as_itself(database: Database) -> None:
    urls = (database.owner_url, database.app_url, database.keeper_url)
    assert [await _ask(url, "SELECT current_user") for url in urls] == [
        "hookledger_owner",
        "hookledger_app",
        "hookledger_keeper",
    ]


async def test_only_the_owner_makes_tables(database: Database) -> None:
    await _ask(database.owner_url, "CREATE TABLE made (a int)")
    for url in (database.app_url, database.keeper_url):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _ask(url, "CREATE TABLE mine (a int)")


async def test_a_wrong_password_does_not_enter(database: Database) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _ask(re.sub(r":[^:@]+@", ":wrong@", database.app_url), "SELECT 1")


async def test_passwords_are_kept_as_scram(server: Postgres) -> None:
    assert (
        server.sql("SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'").strip() == "4"
    )


async def test_text_sorts_by_code_point_on_every_machine(database: Database) -> None:
    assert (
        await _ask(database.app_url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,B,ä,a}'::text[]) x")
        == "Babä"
    )
    assert (
        await _ask(
            database.app_url, "SELECT lower('Ä') || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1"
        )
        == "äUTF8"
    )


async def test_a_copy_has_what_its_template_has(server: Postgres) -> None:
    await _ask(server.database("model").owner_url, "CREATE TABLE copied (a int)")
    copy = server.database("copy", template="model")
    assert await _ask(copy.owner_url, "SELECT count(*) FROM copied") == "0"
    server.drop("copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await _ask(copy.owner_url, "SELECT 1")


def test_asking_for_a_database_again_leaves_it_alone(server: Postgres) -> None:
    server.database("again")
    server.sql("CREATE TABLE here (a int)", "again")
    server.database("again")
    assert server.sql("SELECT count(*) FROM here", "again").strip() == "0"


async def test_the_log_says_nothing_about_people(server: Postgres, database: Database) -> None:
    connection = await _ASYNCPG.connect(database.owner_url)
    await connection.execute("CREATE TABLE people (email text PRIMARY KEY)")
    await connection.execute("INSERT INTO people VALUES ($1)", "asha@example.com")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO people VALUES ($1)", "asha@example.com")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await connection.execute("SELECT 'asha@example.com' FROM FROM")
    await connection.close()
    log = server.log.read_text(encoding="utf-8")
    assert "duplicate key" in log
    assert "asha" not in log


def test_passwords_are_for_the_owner_only(server: Postgres) -> None:
    files = list((server.directory / "secrets").iterdir())
    assert len(files) == len(cluster.ROLES)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not any(password in repr(server) for password in server.passwords.values())


def test_a_second_start_finds_the_server(server: Postgres) -> None:
    second = postgres.start(server.directory)
    assert (second.port, second.process) == (server.port, None)
    second.stop()
    assert server.sql("SELECT 1").strip() == "1"


def test_data_outlives_a_durable_server(kept: Path) -> None:
    with postgres.start(kept) as first:
        first.database("ledger")
        first.sql("CREATE TABLE kept AS SELECT 7 AS a", "ledger")
        assert first.sql("SHOW fsync; SHOW synchronous_commit; SHOW full_page_writes").split() == ["on"] * 3
    with postgres.start(kept) as second:
        assert second.sql("SELECT a FROM kept", "ledger").strip() == "7"


def test_lost_passwords_are_made_anew(kept: Path) -> None:
    with postgres.start(kept) as first:
        old = first.passwords
    for file in (kept / "secrets").iterdir():
        file.unlink()
    with postgres.start(kept) as second:
        assert not set(old.values()) & set(second.passwords.values())
        assert second.sql("SELECT 1").strip() == "1"


def test_a_killed_server_comes_back(kept: Path) -> None:
    first = postgres.start(kept)
    first.sql("CREATE TABLE survives AS SELECT 1 AS a")
    assert first.process
    processes.kill(first.process)
    assert (kept / "postgres" / "postmaster.pid").exists()
    with postgres.start(kept) as second:
        assert second.sql("SELECT a FROM survives").strip() == "1"


def test_a_process_id_that_another_has_by_now_is_stale(kept: Path) -> None:
    with postgres.start(kept) as first:
        pid_file = (kept / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    assert first.process
    stale = "\n".join([str(psutil.Process().pid), *pid_file[1:]])
    (kept / "postgres" / "postmaster.pid").write_text(stale, encoding="utf-8")
    with postgres.start(kept) as second:
        assert second.sql("SELECT 1").strip() == "1"


def test_a_throwaway_server_leaves_no_data(tmp_path: Path) -> None:
    with postgres.start(tmp_path, durable=False) as server:
        data = (tmp_path / "postgres").resolve()
        assert (data / "PG_VERSION").exists()
        assert server.sql("SHOW fsync").strip() == "off"
    assert not data.exists()
    assert not (tmp_path / "postgres").is_symlink()


def test_a_server_ends_with_who_started_it(kept: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from dev import postgres\n"
        "print(postgres.start(Path(sys.argv[1])).process.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script, str(kept)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    with starter, contextlib.closing(starter.stdout):
        server = psutil.Process(int(starter.stdout.readline()))
        starter.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([server], timeout=10)
    assert not alive


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} is taken"):
            postgres.start(tmp_path, port, durable=False)
    cluster.remove(tmp_path)


def test_data_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("12\n", encoding="ascii")
    with pytest.raises(StackError, match="was made by Postgres 12"):
        postgres.start(tmp_path)
    assert (tmp_path / "postgres" / "PG_VERSION").exists()


def test_a_stop_does_not_wait_for_who_is_connected(tmp_path: Path) -> None:
    server = postgres.start(tmp_path, durable=False)
    command = [str(cluster.binary("psql")), "-Xqc", "SELECT pg_sleep(60)", server.url("postgres")]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    while server.sql(sleeping).strip() != "1":
        time.sleep(0.02)
    server.stop()
    assert client.wait(5) != 0
