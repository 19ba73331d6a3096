"""How much trouble there is, in figures: switches that are set and the work that they hold."""

import json
from dataclasses import dataclass

from ledger.engine import Pool


@dataclass(frozen=True, slots=True)
class Figures:
    """By activity and tenant; names of neither people nor targets."""

    switches: dict[str, int]
    """Switches that count now, by mode."""
    held: dict[tuple[str, str], int]
    """Pieces of open work that a switch holds, by (tenant, activity)."""


_SWITCHES = """
    SELECT coalesce(jsonb_agg(jsonb_build_array(s.mode, s.n)), '[]')::text
      FROM (SELECT mode, count(*) AS n FROM switches WHERE until IS NULL OR until > clock_timestamp() GROUP BY mode) s
"""
_HELD = """
    SELECT coalesce(jsonb_agg(jsonb_build_array(h.tenant, h.activity, h.n)), '[]')::text
      FROM (SELECT w.tenant, w.activity, count(*) AS n FROM work w
             WHERE w.settled_at IS NULL AND w.state IN ('planned', 'running')
             GROUP BY w.tenant, w.activity HAVING switch_of(w.tenant, w.activity) = 'off') h
"""


async def figures(pool: Pool) -> Figures:
    """The figures as they are. The open work is only counted while a switch is off."""
    modes: list[tuple[str, int]] = json.loads(await pool.fetchval(_SWITCHES))
    switches = dict(modes)
    held: list[tuple[str, str, int]] = json.loads(await pool.fetchval(_HELD)) if "off" in switches else []
    return Figures(switches, {(tenant, activity): n for tenant, activity, n in held})
