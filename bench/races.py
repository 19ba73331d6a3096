"""One side's answers per second, measured by a load in a process of its own."""

from typing import Any

from bench.stack import BenchError, Served, Stack, cpu_of
from bench.storm import run_load


def race(
    one: Stack, hook: str, side: Served, seed: int, seconds: float, *, connections: int = 16
) -> dict[str, Any]:
    """The load's figures, and `cpu_ms` of the side's process per hook. Raises BenchError if a hook was not stored."""
    one.wait_until_quiet()
    options = ["--seed", str(seed), "--seconds", str(seconds), "--count", str(round(3000 * seconds))]
    options += ["--connections", str(connections)]
    stored, cpu = _stored(one, side), cpu_of(side.process.pid)
    result = run_load(one, hook, side.port, *options)
    result["cpu_ms"] = 1000 * (cpu_of(side.process.pid) - cpu) / result["hooks"]
    if _stored(one, side) - stored != result["hooks"]:
        raise BenchError(f"{hook}: answers were given for {result['hooks']} hooks, but not all were stored")
    return result


def _stored(one: Stack, side: Served) -> int:
    return int(one.postgres.sql("SELECT count(*) FROM deliveries", side.database.name))
