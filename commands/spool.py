"""`spool`: what was answered and is not recorded yet, and whether it can be read."""

import contextlib
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import typer
from rich.table import Table

from commands.ending import stop
from commands.output import as_json, console
from runtime.spool import Journal
from runtime.spool.frames import Frame
from runtime.spool.opening import keys_of
from settings import Settings

WHERE = "run it where the api runs, as its user (Compose: docker compose exec api python cli.py spool)"


@dataclass(frozen=True, slots=True)
class Standing:
    """The spool of this host. `age` is that of the oldest record, in seconds; `aside` counts files under `damaged/`."""

    folder: str
    records: int
    bytes: int
    age: float
    free: int
    aside: int
    damaged: int | None = None
    """Records or stretches that cannot be read; None: nobody looked."""
    without_key: int | None = None
    """Records whose key is not configured."""


def show(settings: Settings, *, check: bool, as_object: bool) -> None:
    """Prints how it stands. Exit codes: 0 nothing is wrong, 1 something cannot be read, 2 there is no spool here."""
    folder = settings.spool.folder
    if folder is None:
        stop("no spool is configured: give [spool] a folder (docs/spool.md)")
    if not folder.is_dir():
        stop(f"{folder} is not there: no api has used it here. If one does elsewhere, {WHERE}")
    with opened(settings, folder) as journal:
        standing = look(journal, folder, check=check)
    if as_object:
        print(as_json(asdict(standing)))
    else:
        console().print(_table(standing))
    if standing.aside or standing.damaged or standing.without_key:
        raise typer.Exit(1)


@contextlib.contextmanager
def opened(settings: Settings, folder: Path) -> Generator[Journal]:
    """The journal, beside the apis that use it. Ends the command if it may not be read."""
    try:
        journal = Journal(folder, keys_of(settings), settings.spool.max_bytes)
    except OSError as wrong:
        stop(f"{folder} cannot be read here ({wrong.strerror}): {WHERE}")
    with contextlib.closing(journal):
        yield journal


def look(journal: Journal, folder: Path, *, check: bool) -> Standing:
    """Counts, and reads every record if asked to."""
    figures = journal.figures()
    aside = folder / "damaged"
    standing = Standing(
        folder=str(folder),
        records=figures.records,
        bytes=figures.octets,
        age=round(figures.age, 1),
        free=journal.free(),
        aside=sum(1 for _ in aside.iterdir()) if aside.is_dir() else 0,
    )
    if not check:
        return standing
    found = list(journal.everything())
    whole = [part for part in found if isinstance(part, Frame)]
    known = [frame for frame in whole if journal.knows(frame)]
    unread = sum(journal.open(frame) is None for frame in known)
    return replace(standing, damaged=len(found) - len(whole) + unread, without_key=len(whole) - len(known))


def _table(standing: Standing) -> Table:
    table = Table(show_header=False, title=f"Spool in {standing.folder}", title_justify="left")
    table.add_row("wait to be recorded", f"{standing.records:,} records, {standing.bytes:,} bytes")
    table.add_row("the oldest came", f"{standing.age:,.0f} s ago" if standing.records else "-")
    table.add_row("room left", f"{standing.free:,} bytes")
    table.add_row("set aside in damaged/", f"{standing.aside}", style="red" if standing.aside else "")
    if standing.damaged is not None:
        table.add_row("cannot be read", f"{standing.damaged}", style="red" if standing.damaged else "")
        table.add_row(
            "key is missing", f"{standing.without_key}", style="red" if standing.without_key else ""
        )
    return table
