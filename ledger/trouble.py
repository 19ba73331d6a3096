"""How much trouble there is, in figures: switches that are set and the work that they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.engine import Pool


@dataclass(frozen=True, slots=True)
class Figures:
    """By activity and tenant; names of neither people nor targets."""

    switches: dict[str, int]
    """Switches that count now, by mode."""
    held: dict[tuple[str, str], int]
    """Pieces of open work that a switch holds, by (tenant, activity)."""


_SWITCHES = """
    SELECT mode, count(*) AS n FROM switches WHERE until IS NULL OR until > clock_timestamp() GROUP BY mode
"""
_HELD = """
    SELECT w.tenant, w.activity, count(*) AS n FROM work w
     WHERE w.settled_at IS NULL AND w.state IN ('planned', 'running')
     GROUP BY w.tenant, w.activity HAVING switch_of(w.tenant, w.activity) = 'off'
"""


async def figures(pool: Pool) -> Figures:
    """The figures as they are. The open work is only counted while a switch is off."""
    modes: list[Mapping[str, Any]] = await pool.fetch(_SWITCHES)
    switches = {r["mode"]: r["n"] for r in modes}
    held: list[Mapping[str, Any]] = await pool.fetch(_HELD) if "off" in switches else []
    return Figures(switches, {(r["tenant"], r["activity"]): r["n"] for r in held})
