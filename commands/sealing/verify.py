"""`ledger verify`: recomputes what was sealed, with a bar, and names what does not fit and what was done to it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from commands.ending import stop
from commands.output import as_json, console, printable
from commands.sealing.keys import kept_in, keys_of
from ledger.access import FITS, FITS_NOT, record_access
from ledger.engine import EngineErrors
from ledger.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from ledger.verify import Asked, Unverifiable, Verdict, verify
from ledger.visit import OutOfReach, visit
from runtime.holder import keeper_of
from runtime.reading import reader
from settings import Settings

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Options:
    """As given. `kept`: files with checkpoints; `since`: one from which on to verify."""

    kept: Sequence[Path]
    since: Path | None
    as_object: bool


def run(settings: Settings, options: Options) -> None:
    """Prints the verdict. Raises typer.Exit: 0 all fits, 1 something does not, 2 it could not be looked at."""
    keys = keys_of(settings)
    kept = [kept_in(file, keys) for file in options.kept]
    since = kept_in(options.since, keys) if options.since else None
    if settings.ledger.holder and (held := asyncio.run(_held(settings, keys))):
        kept.append(held)
    asked = Asked(keys, kept, since, settings.ledger.legal_floor)
    began = time.monotonic()
    try:
        verdict = _watched(settings, asked, bar=not options.as_object)
    except OutOfReach as wrong:
        stop(f"{wrong}")
    except Unverifiable as wrong:
        stop(f"{wrong}")
    seconds = time.monotonic() - began
    fits = not verdict.findings
    if since is None and (wrong := asyncio.run(_told(settings, verdict))):
        typer.secho(f"that it was verified is no entry: {wrong}", err=True, fg="yellow")
    if options.as_object:
        print(as_json({"fits": fits, "seconds": round(seconds, 3), **asdict(verdict)}))
    else:
        _show(console(), verdict, seconds, since)
    raise typer.Exit(0 if fits else 1)


async def _held(settings: Settings, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """What the holder elsewhere has, if it can be reached."""
    keeper = keeper_of(settings.ledger.holder)
    try:
        note = await keeper.newest() if keeper else None
        return open_checkpoint(note, keys) if note else None
    except (OSError, httpx.HTTPError, NoteError, UnicodeDecodeError) as wrong:
        typer.secho(
            f"the holder's checkpoint cannot be compared: {type(wrong).__name__}", err=True, fg="yellow"
        )
        return None


async def _told(settings: Settings, verdict: Verdict) -> str | None:
    """Enters for each tenant that the whole was verified; why not, if this store cannot be written to."""
    who = reader()
    detail = {
        "question": "verify",
        "rows": verdict.entries,
        "size": verdict.size,
        "findings": len(verdict.findings) + verdict.more,
        "kept": verdict.kept,
    }
    try:
        async with visit(settings.store) as connection:
            for tenant in settings.tenants:
                await record_access(
                    connection, tenant=tenant, actor=who.actor, code_version=who.code_version,
                    outcome=FITS_NOT if verdict.findings else FITS, people=(), detail=detail,
                )  # fmt: skip
    except (OutOfReach, *EngineErrors) as wrong:
        return "the store cannot be written to" if isinstance(wrong, EngineErrors) else f"{wrong}"
    return None


def _watched(settings: Settings, asked: Asked, *, bar: bool) -> Verdict:
    columns = TextColumn("Verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not (bar and err.is_terminal)) as progress:
        task = progress.add_task("leaves", total=None)

        def say(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return asyncio.run(verify(settings.store, asked, say))


def _show(out: Console, verdict: Verdict, seconds: float, since: Checkpoint | None) -> None:
    part = f" after the checkpoint of {since.size:,}" if since else ""
    out.print(
        f"{verdict.entries:,} entries{part} recomputed from their columns in {seconds:.1f} s; "
        f"{verdict.checkpoints:,} checkpoints of the ledger's own"
        + (f" and {verdict.kept} from elsewhere" if verdict.kept else "")
    )
    if verdict.dropped:
        out.print(
            f"{verdict.dropped:,} more were dropped by retention, as sealed deeds tell: their hashes fit"
        )
    if verdict.waiting:
        out.print(f"[dim]{verdict.waiting:,} more wait to be sealed, and are not protected yet")
    if not verdict.size:
        out.print("[yellow]nothing is sealed yet[/]: is a worker running, with a key in \\[ledger.seal]?")
    if not verdict.findings:
        out.print("[green]everything fits")
        if not verdict.kept:
            out.print(
                "[dim]an older backup, or another history signed with the same key, shows only against a checkpoint "
                "from elsewhere: --kept FILE, or a holder in \\[ledger.holder]"
            )
        return
    for finding in verdict.findings[:_SHOWN]:
        line = (finding.kind.ljust(10), "red"), (printable(finding.row), "bold")
        out.print(Text.assemble(*line, f": {printable(finding.words)}"))
    more = len(verdict.findings) - _SHOWN
    if more > 0 or verdict.more:
        out.print(
            f"[dim]and {max(more, 0) + verdict.more:,} more rows that do not fit; --json has those that are named"
        )
    out.print("[red]the ledger does not fit what was sealed[/]: docs/verify.md says what to do now")
