"""What an imported person costs, beside what no import could save: normal forms alone, and COPY of the same rows alone.

All are CPU time per row. The import is the real command on a file of its own, with all its processes, its start (the
same command on a file of one row) taken off. Normal forms are computed on every core at once, as the import does it.
COPY writes the very rows that the import has left, from Python tuples that are ready, into the same tables. Postgres'
CPU, background processes included, belongs to the import and to COPY alike; it is also told apart.
"""

import asyncio
import csv
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import psutil

from bench import traffic
from bench.figures import Notebook
from bench.stack import ROOT, BenchError, Stack
from commands.importing.files import chunks, look_over
from commands.importing.users import CellReader
from dev.postgres import Database
from rules.normal import unique_values
from settings import Tenant

_TABLES = ("subjects", "handles", "deliveries", "bodies", "identities", "known_values", "entries")
_COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attidentity = ''"
)
_BATCH = 10_000
"""Rows of one COPY, well above where larger ones would still be cheaper."""
_HEADER = ("Login", "First Name", "Last Name", "Email", "Mobile", "Country Code", "Country", "User Type")
_MORE = ("Department", "Employee ID", "attributes.costCentre")
_INDIA = ("91", "India", "+91 9{:09d}")
_COUNTRIES = (
    ("44", "United Kingdom", "+44 7{:09d}"),
    ("1", "United States", "(212) {:07d}"),
    ("49", "Germany", "0151 {:08d}"),
    ("971", "United Arab Emirates", "050 {:07d}"),
    ("65", "Singapore", "+65 9{:07d}"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of our processes and of Postgres."""

    client: float
    postgres: float

    @property
    def both(self) -> float:
        """All of it."""
        return self.client + self.postgres


def write_people(path: Path, rows: int) -> None:
    """A file as a platform's tenant would export it: half of the numbers Indian, half from five other countries."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow((*_HEADER, *_MORE))
        for n in range(rows):
            code, country, number = _INDIA if n % 2 else _COUNTRIES[n // 2 % len(_COUNTRIES)]
            login = f"asha.example{n}"
            person = (
                login,
                "Asha",
                "Example",
                f"Asha.Example{n}@Example.com",
                number.format(n),
                code,
                country,
            )
            out.writerow((*person, "Employee", "Finance", f"E{n}", "CC-10"))


def round_of(one: Stack, rows: int, number: int, notebook: Notebook) -> None:
    """One round of all three. Raises BenchError if not everybody was imported."""
    many, single = one.directory / "people.csv", one.directory / "person.csv"
    if not many.exists():
        write_people(many, rows)
        write_people(single, 1)
    database, environment = one.configured(f"import{number}")
    one.wait_until_quiet()
    start = _import(one, single, environment, 1)
    whole = _import(one, many, environment, rows)
    normalise = _normalise(one, many)
    copied = asyncio.run(_copied(one, database, one.configured(f"copy{number}")[0]))
    one.postgres.drop(f"import{number}")
    one.postgres.drop(f"copy{number}")
    imported = Cost(whole.client - start.client, whole.postgres - start.postgres)
    a_row = 1e6 / rows
    notebook.note(
        import_vs_floor=imported.both / (normalise + copied.both),
        import_us_per_row=imported.both * a_row,
        normalise_us_per_row=normalise * a_row,
        copy_us_per_row=copied.both * a_row,
        import_client_us_per_row=imported.client * a_row,
        import_postgres_us_per_row=imported.postgres * a_row,
        copy_client_us_per_row=copied.client * a_row,
        copy_postgres_us_per_row=copied.postgres * a_row,
    )


def _import(one: Stack, file: Path, environment: dict[str, str], rows: int) -> Cost:
    before = postgres_cpu(one)
    command = [sys.executable, "cli.py", "import", str(file), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    out = process.stdout.read() if process.stdout else b""
    # With the children it has waited for.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    report: dict[str, int] = json.loads(out.splitlines()[-1]) if process.returncode == 0 else {}
    if report.get("rows") != rows or (rows > 1 and report["created"] < rows - 1):
        raise BenchError(
            f"the import ended with {process.returncode} and {report.get('rows')} of {rows} rows"
        )
    return Cost(used.ru_utime + used.ru_stime, postgres_cpu(one) - before)


def postgres_cpu(one: Stack) -> float:
    """CPU seconds of the server and all its processes, those that have ended included."""
    time.sleep(0.3)
    server = psutil.Process(one.postgres.process.pid if one.postgres.process else 0)
    times = server.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in server.children(recursive=True):
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return float(total)


def _normalise(one: Stack, file: Path) -> float:
    """CPU seconds for the normal forms of all rows, shared out among as many processes as there are cores."""
    cores = os.cpu_count() or 1
    shares = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.importing", str(file), str(share), str(cores)],
            cwd=ROOT,
            env=one.environment,
            stdout=subprocess.PIPE,
        )
        for share in range(cores)
    ]
    return sum(float(process.communicate()[0]) for process in shares)


def normalise_share(file: Path, share: int, shares: int) -> float:
    """CPU seconds for every `shares`-th row of the file."""
    source = look_over(file, None)
    if source.columns is None:
        raise BenchError(f"{file} is no CSV")
    reader = CellReader(source.columns, 64)
    rows = (
        row for chunk in chunks(source, 1000, 0, 1 << 20) for row in chunk.rows if row[0] % shares == share
    )
    users = [reader.user(line, cells, []) or {} for line, cells in rows if isinstance(cells, list)]
    unique = Tenant.model_fields["unique"].default
    gc.collect()
    gc.disable()
    begin = time.process_time()
    for user in users:
        unique_values(user, unique, "IN")
    return time.process_time() - begin


async def _copied(one: Stack, source: Database, target: Database) -> Cost:
    connect: Callable[..., Any] = cast("Any", asyncpg).connect
    reader, writer = await connect(source.owner_url), await connect(target.owner_url)
    # The owner, since COPY goes into no table with policies. As the import does: neither waits for the disk at every COPY.
    await writer.execute("SET synchronous_commit = off")
    ready: list[tuple[str, list[str], list[tuple[Any, ...]]]] = []
    for table in _TABLES:
        columns = [row[0] for row in await reader.fetch(_COLUMNS, table)]
        query = f"SELECT {', '.join(columns)} FROM {table}"
        if table != "bodies":
            query += f" WHERE tenant = '{traffic.TENANT}'"
        known = set(await _tuples(writer, query))
        ready.append((table, columns, [row for row in await _tuples(reader, query) if row not in known]))
    await reader.close()
    gc.collect()
    gc.disable()
    before, begin = postgres_cpu(one), time.process_time()
    for table, columns, rows in ready:
        for first in range(0, len(rows), _BATCH):
            await writer.copy_records_to_table(table, records=rows[first : first + _BATCH], columns=columns)
    client = time.process_time() - begin
    gc.enable()
    await writer.close()
    return Cost(client, postgres_cpu(one) - before)


async def _tuples(connection: Any, query: str) -> list[tuple[Any, ...]]:
    rows: list[list[Any]] = await connection.fetch(query)
    return [tuple(_hashable(value) for value in row) for row in rows]


def _hashable(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


if __name__ == "__main__":
    print(normalise_share(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
