"""`activities`: what is planned when, from the activities' own files."""

import inspect
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

import settings as configuration
from activities import Activity
from activities._registry import registry
from commands.ending import stop
from commands.output import as_json, console
from commands.times import duration

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    """One activity. Times are seconds; `configured` is None if the configuration cannot be read."""

    name: str
    purpose: str
    hooks: list[str]
    when: str | None
    after: str | None
    lane: str
    per_application: bool
    """Each application that a hook names has a lane of its own."""
    timeout: float
    retry_waits: tuple[float, float]
    """The first and the longest."""
    give_up: float
    options: list[str]
    needs_settings: bool
    configured: bool | None
    source: str


def run(*, lines: bool) -> None:
    """Prints every activity, by name. `lines`: one JSON object each."""
    rows = [row_of(activity, _configured()) for activity in _found().values()]
    if lines:
        for row in rows:
            print(as_json(asdict(row)))
        return
    _show(rows)


def row_of(activity: Activity, configured: Mapping[str, Any] | None) -> Row:
    """What an operator wants to know of an activity; `configured` are the `[activities.NAME]` tables."""
    plan = activity.plan
    return Row(
        name=activity.name,
        purpose=activity.purpose,
        hooks=[hook.name for hook in activity.hooks],
        when=activity.when.text if activity.when else None,
        after=plan.after,
        lane=activity.lane,
        per_application=activity.lane_for("an application") != activity.lane and _names_application(activity),
        timeout=plan.timeout,
        retry_waits=(plan.first_wait, plan.longest_wait),
        give_up=plan.give_up,
        options=list(_options(activity)),
        needs_settings=activity.settings_required,
        configured=None if configured is None else activity.name in configured,
        source=_source(activity),
    )


def _names_application(activity: Activity) -> bool:
    return any("applicationId" in (hook.sample or {}) for hook in activity.hooks)


def _options(activity: Activity) -> list[str]:
    plan = activity.plan
    said = {
        "bookkeeping": plan.bookkeeping,
        f"delay {duration(activity.delay.total_seconds())}": bool(activity.delay),
        f"cancelled by {', '.join(plan.cancel_on)}": bool(plan.cancel_on),
        "once confirmed": activity.confirmed is not None,
        f"batch {plan.batch}": plan.batch > 1 and not plan.bookkeeping,
        "failure holds the lane": plan.hold,
        f"heartbeat {plan.heartbeat:g} s" if plan.heartbeat else "": plan.heartbeat is not None,
        "gets the secret": activity.secret,
    }
    return [words for words, is_so in said.items() if is_so]


def _found() -> Mapping[str, Activity]:
    """The registry, or which file keeps it from being read."""
    try:
        return registry()
    except Exception as wrong:
        frames = traceback.extract_tb(wrong.__traceback__)
        place = next(
            (f for f in reversed(frames) if Path(f.filename).is_relative_to(ROOT / "activities")), None
        )
        if isinstance(wrong, SyntaxError) and wrong.filename:
            stop(f"{_relative(Path(wrong.filename))}:{wrong.lineno}: {wrong.msg}")
        where = f"{_relative(Path(place.filename))}:{place.lineno}: " if place else ""
        stop(f"{where}{type(wrong).__name__}: {wrong}")


def _configured() -> Mapping[str, Any] | None:
    """A developer lists activities before there is a store to configure."""
    try:
        return configuration.load().activities
    except configuration.ConfigError:
        return None


def _source(activity: Activity) -> str:
    file = inspect.getsourcefile(sys.modules[activity.run.__module__])
    return _relative(Path(file)) if file else activity.run.__module__


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _show(rows: list[Row]) -> None:
    out = console()
    if any(row.configured is None for row in rows):
        out.print("[dim]The configuration cannot be read, so what it switches on is not shown.\n")
    for row in rows:
        off = row.needs_settings and row.configured is False
        state = Text(f"  off: needs [activities.{row.name}]", "yellow") if off else Text("")
        out.print(Text.assemble((row.name, "bold"), "  ", (row.source, "dim")) + state)
        facts = Table.grid(padding=(0, 2))
        facts.add_column(width=9, style="dim")
        facts.add_column(overflow="fold")
        for name, words in _facts(row):
            facts.add_row(f"  {name}", Text(words))
        out.print(facts)
        out.print()


def _facts(row: Row) -> list[tuple[str, str]]:
    first, longest = row.retry_waits
    pauses = f"pauses of {first:g} to {longest:g} s"
    facts = [
        ("what", row.purpose),
        ("on", ", ".join(row.hooks)),
        ("when", row.when or ""),
        ("after", row.after or ""),
        ("lane", f"{row.lane}{', one per application' if row.per_application else ''}"),
        ("tries", f"up to {row.timeout:g} s each, {pauses}, gives up after {duration(row.give_up)}"),
        ("options", ", ".join(row.options)),
    ]
    return [(name, words) for name, words in facts if words]
