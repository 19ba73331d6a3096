"""`python -m leakscan`: plays, looks everywhere, names what it found where, prints one JSON object as its last line."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dev.collector import Collector, collector
from dev.processes import StackError
from leakscan import places, planted
from leakscan.endings import check_endings
from leakscan.places import Place
from leakscan.sentinels import Sentinel, Sentinels, find
from leakscan.stack import ScanError, Stack, stack, traced
from leakscan.story import Teller, Told, askers

_console = Console(stderr=True)
_OPEN = "SELECT 'open: ' || count(*) FROM work WHERE settled_at IS NULL"


def main() -> None:
    """Plays a story full of sentinels, and searches every byte that the system left for them.

    Exit codes: 0 none was found where it must not be; 1 some were; 2 a place could not be read, or the scan is blind.
    """
    sentinels = Sentinels()
    seed = Sentinel("planted", f"PlntD{time.time_ns()}", secret=True)
    seen: dict[str, int] = defaultdict(int)
    proven: set[str] = set()
    hits: list[tuple[str, str, str]] = []
    try:
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=_console
        ) as progress:
            task = progress.add_task("starting", total=None)
            with collector() as traces, stack(sentinels, traced(traces.endpoint)) as running:
                told = Told(sentinels)
                progress.update(task, description="telling the story")
                spooled = _tell(running, told, seed)
                progress.update(task, description="waiting for its end")
                _settle(running)
                planted.everywhere_else(running, seed, told)
                planted.in_the_metrics(running, seed)
                planted.in_the_traces(traces.endpoint, seed)
                progress.update(task, description="looking everywhere")
                for place in _all(running, told, spooled, traces):
                    seen[place.kind] += 1
                    if find(place.data, [seed]):
                        proven.add(place.kind)
                    sought = [s for s in sentinels.known if s.secret or not place.inside]
                    hits += [(place.kind, place.name, name) for name in find(place.data, sought)]
    except (ScanError, StackError) as wrong:
        _console.print(str(wrong), style="red", markup=False)
        raise typer.Exit(2) from None
    _console.print(_table(seen, hits))
    for kind, place, name in hits:
        _console.print(f"{kind}: {place}: {name}", style="red", markup=False)
    blind = planted.KINDS - proven
    figures = {
        "sentinels": len(sentinels.known),
        "places": sum(seen.values()),
        "hits": len(hits),
        "planted": len(planted.KINDS),
        "planted_found": len(planted.KINDS & proven),
    }
    print(json.dumps(figures))
    if blind:
        _console.print(f"blind: what was planted was not found in {', '.join(sorted(blind))}", style="red")
        raise typer.Exit(2)
    if hits:
        raise typer.Exit(1)


def _tell(running: Stack, told: Told, seed: Sentinel) -> list[Place]:
    """The whole story; what was in the spool meanwhile."""
    running.start_all()
    teller = Teller(running, told)
    try:
        user = teller.life()
        teller.mistakes()
        running.away()
        late = teller.person()
        for name in ("validateUser", "postCreateUser", "changePassword", "postUpdateUser"):
            secret = told.sentinels.secret("password while away")
            teller.hook(name, {"user": late, "passwordText": secret})
        planted.in_the_spool(running, seed)
        spooled = places.while_away(running)
        (running.home / "spool" / "planted").unlink()
        running.back()
        teller.life()
    finally:
        teller.close()
    askers(running, told, user)
    running.command("failures", "--tenant", "first")
    return spooled


def _settle(running: Stack, within: float = 90.0) -> None:
    """Waits until the spool is empty and everything has settled or failed, and looks whether all that was to fail has."""
    until = time.monotonic() + within
    while places.spools(running) or "open: 0" not in running.postgres.sql(_OPEN, running.database.name):
        if time.monotonic() > until:
            raise ScanError(f"something still waited after {within:.0f} s; see {running.home}/logs")
        time.sleep(0.5)
    check_endings(running)


def _all(running: Stack, told: Told, spooled: list[Place], traces: Collector) -> Iterator[Place]:
    yield from chain(
        places.answers(told),
        places.listeners(running),
        spooled,
        places.read_histories(running),
        places.processes(running),
        places.dumps(running),
        places.files(running),
        places.exported(traces.batches),
    )


def _table(seen: dict[str, int], hits: list[tuple[str, str, str]]) -> Table:
    table = Table("kind of place", "places", "hits", title="Where it was looked")
    for kind, count in sorted(seen.items()):
        found = sum(kind == hit[0] for hit in hits)
        table.add_row(kind, str(count), str(found), style="red" if found else "")
    return table


if __name__ == "__main__":
    sys.argv[0] = "python -m leakscan"
    typer.run(main)
