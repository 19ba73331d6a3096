"""The real command with all its processes: killed, stopped, watched; what it left is counted."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ledger.engine import Pool
from settings import Settings

ROOT = Path(__file__).parents[3]
PEOPLE = 12_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Large enough for several processes; every tenth mobile number is foreign, some rows are wrong."""
    path = tmp_path / "people.csv"
    with path.open("w") as out:
        out.write("login,email,mobile,countryCode\n")
        for n in range(PEOPLE):
            code = "44" if n % 10 == 0 else "91"
            login = "" if n % 1000 == 7 else f"asha.example{n}"
            out.write(f"{login},asha.example{n}@example.com,7{n:09d},{code}\n")
    return path


def _start(tmp_path: Path, file: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml")}
    command = [sys.executable, str(ROOT / "cli.py"), "import", str(file), *options]
    with (tmp_path / "out.log").open("ab") as out:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)


async def _until(pool: Pool, reached: Callable[[int], bool], process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if reached(await pool.fetchval("SELECT count(*) FROM subjects")):
            return
        assert process.poll() is None, "it ended before it could be hit"
        await asyncio.sleep(0.01)
    pytest.fail("the import did not get so far")


async def _is_whole(pool: Pool, left_out: int = PEOPLE // 1000) -> None:
    people = PEOPLE - left_out
    for table, times in (("subjects", 1), ("identities", 1), ("handles", 1), ("known_values", 3)):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == people * times, table
    for table in ("deliveries", "bodies", "entries"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == people + 1, table
    counts = await pool.fetchrow(
        "SELECT line, created, updated, unchanged, left_out, finished_at IS NOT NULL FROM imports"
    )
    assert counts is not None
    assert tuple(counts) == (PEOPLE + 1, people, 0, 0, left_out, True)
    assert await pool.fetchval("SELECT count(*) FROM import_findings") == left_out


async def test_killed_in_the_middle_it_goes_on_where_it_was(
    settings: Settings, pool: Pool, tmp_path: Path, file: Path
) -> None:
    first = _start(tmp_path, file)
    await _until(pool, lambda n: n > 1000, first)
    children = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()

    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == [], "nobody waits for a parent that is gone"
    assert children
    reached = await pool.fetchval("SELECT count(*) FROM subjects")
    assert 1000 < reached < PEOPLE - PEOPLE // 1000
    moved = file.rename(tmp_path / "moved.csv")
    second = _start(tmp_path, moved)
    assert await asyncio.to_thread(second.wait) == 1, (tmp_path / "out.log").read_text()
    await _is_whole(pool)
    assert "goes on behind line" in (tmp_path / "out.log").read_text()


async def test_ctrl_c_ends_with_a_whole_chunk_and_says_how_to_go_on(
    settings: Settings, pool: Pool, tmp_path: Path, file: Path
) -> None:
    first = _start(tmp_path, file)
    await _until(pool, lambda n: n > 1000, first)
    for process in (first, *psutil.Process(first.pid).children(recursive=True)):
        process.send_signal(signal.SIGINT)  # as a terminal does
    assert await asyncio.to_thread(first.wait) == 130

    said = (tmp_path / "out.log").read_text()
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said
    second = _start(tmp_path, file)
    assert await asyncio.to_thread(second.wait) == 1
    await _is_whole(pool)


async def test_begun_anew_it_looks_at_every_line_again(
    settings: Settings, pool: Pool, tmp_path: Path, file: Path
) -> None:
    first = _start(tmp_path, file)
    await _until(pool, lambda n: n > 1000, first)
    first.kill()
    first.wait()

    second = _start(tmp_path, file, "--anew")

    assert await asyncio.to_thread(second.wait) == 1
    looked = await pool.fetchval(
        "SELECT created + unchanged + left_out FROM imports ORDER BY started_at DESC LIMIT 1"
    )
    assert looked == PEOPLE
    assert await pool.fetchval("SELECT count(*) FROM subjects") == PEOPLE - PEOPLE // 1000


async def test_memory_does_not_grow_with_the_file(
    settings: Settings, pool: Pool, tmp_path: Path, file: Path
) -> None:
    """What its processes take together when a fifth is done, and the most until the end."""
    long = tmp_path / "long.csv"
    with long.open("w") as out:
        out.write("login,email\n")
        out.writelines(f"asha.example{n},asha.example{n}@example.com\n" for n in range(5 * PEOPLE))
    process = _start(tmp_path, long)
    await _until(pool, lambda n: n > PEOPLE, process)
    early = most = _memory(process.pid)
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        await asyncio.sleep(0.02)

    assert process.returncode == 0, (tmp_path / "out.log").read_text()
    assert 0 < early <= most < early + 16 * 1024 * 1024


def _memory(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(int(p.memory_info().rss) for p in (parent, *parent.children(recursive=True)))
    except psutil.Error:
        return 0
