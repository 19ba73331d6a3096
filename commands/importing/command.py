"""`./hookledger import FILE`: looks the file over, carries it into the store chunk by chunk, reports."""

import asyncio
import hashlib
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from uuid_utils.compat import uuid7

from activities._registry import registry
from commands.ending import stop
from commands.importing.carry import Carrier, Outcome
from commands.importing.files import FileError, RawChunk, Source, look_over
from commands.importing.mapping import MappingError, read_mapping
from commands.importing.pipeline import Reading, Workers, prepared, workers
from commands.importing.prepare import Chunk, Job
from commands.importing.rehearse import Rehearsal
from commands.importing.report import Report, show
from commands.output import as_json, console, print_lines
from ledger.importing import Counts, Ending, Finding, Run, Running, Session, Start, importing
from ledger.scratch import Scratch
from ledger.visit import OutOfReach
from runtime.os_user import os_user
from runtime.shutdown import stop_event
from runtime.version import code_version
from settings import Settings

_SHOWN = 20
"""Findings on the terminal."""
_LONGEST_CHUNK = 1000
"""Rows: hooks for the same people wait for a chunk to end."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `anew`: not behind where an earlier import of the file ended."""

    file: Path
    tenant: str | None = None
    mapping: Path | None = None
    dry_run: bool = False
    anew: bool = False
    as_json: bool = False
    actor: str | None = None


def run(settings: Settings, options: Options) -> NoReturn:
    """Ends with the report's exit code, or with 2 and a sentence."""
    name = _tenant(settings, options.tenant)
    source = _looked_over(options)
    job = _job(settings, name, source, options)
    with workers(source.size, job) as prepare:
        code = asyncio.run(_run(settings, options, source, job, prepare))
    raise typer.Exit(code)


async def _run(settings: Settings, options: Options, source: Source, job: Job, prepare: Workers) -> int:
    try:
        async with importing(settings.store, job.tenant) as session:
            work = _Work(settings, options, source, job, session, prepare)
            return await (work.rehearse() if options.dry_run else work.carry())
    except Running:
        stop(f"another import of {job.tenant} is running: wait until it has ended")
    except (OutOfReach, BrokenProcessPool) as wrong:
        words = wrong if isinstance(wrong, OutOfReach) else "one of its processes was killed"
        stop(f"not finished: {words}; the same command goes on from what is committed")


def _tenant(settings: Settings, name: str | None) -> str:
    if name is None and len(settings.tenants) > 1:
        stop(f"--tenant is missing: configured are {', '.join(settings.tenants)}")
    name = name or next(iter(settings.tenants))
    if name not in settings.tenants:
        stop(f"no tenant {name}; configured are {', '.join(settings.tenants)}")
    return name


def _looked_over(options: Options) -> Source:
    try:
        mapping = read_mapping(options.mapping) if options.mapping else None
        return look_over(options.file, mapping)
    except (MappingError, FileError) as wrong:
        stop(str(wrong))


def _job(settings: Settings, name: str, source: Source, options: Options) -> Job:
    tenant = settings.tenants[name]
    rules = f"{source.reading}{tenant.region}{[(u.attribute, u.form) for u in tenant.unique]}"
    return Job(
        tenant=name,
        unique=tenant.unique,
        region=tenant.region,
        show_login=settings.temporal.show_login,
        max_depth=settings.api.max_depth,
        actor=options.actor or os_user(),
        code_version=code_version(tuple(registry())),
        rules_hash=f"import:{_short_hash(rules)}",
        file=_short_hash(f"{source.hash}{source.reading}"),
        columns=source.columns,
    )


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _stopped() -> asyncio.Event:
    """Signals are the main thread's to hear."""
    return stop_event() if threading.current_thread() is threading.main_thread() else asyncio.Event()


Step = Callable[[RawChunk, Chunk], Awaitable[Outcome]]


@dataclass(slots=True)
class _Work:
    settings: Settings
    options: Options
    source: Source
    job: Job
    session: Session
    workers: Workers
    stopped: asyncio.Event = field(default_factory=_stopped)
    started: float = field(default_factory=time.monotonic)

    async def carry(self) -> int:
        """The import itself. Gives the exit code."""
        start = Start(uuid7(), self.source.hash, self.source.reading, self.job.actor, self.options.anew)
        run = await self.session.begin(start)
        if run.line:
            _say(f"goes on behind line {run.line:,}, where an earlier import of this file ended")
        carrier = Carrier(self.session, self.job)
        reached = await self._through(run, lambda raw, chunk: carrier.carry(run.id, raw, chunk))
        report = self._report(reached, await self.session.kinds(run.id))
        if report.complete:
            await self.session.finish(run.id, self._ending(report))

        async def noted(limit: int, offset: int) -> list[Finding]:
            return await self.session.noted(run.id, limit, offset)

        await self._print(report, noted)
        return report.code

    async def rehearse(self) -> int:
        """The dry run. Gives the exit code."""
        with Scratch() as scratch:
            rehearsal = Rehearsal(self.session, self.job, scratch)
            reached = await self._through(Run(uuid7(), 0, Counts()), rehearsal.rehearse)
            again = rehearsal.compare()
            counts = reached.counts
            counts = replace(counts, created=counts.created - again, updated=counts.updated + again)
            report = self._report(replace(reached, counts=counts), scratch.kinds())

            async def noted(limit: int, offset: int) -> list[Finding]:
                return scratch.noted(limit, offset)

            await self._print(report, noted)
        return report.code

    async def _through(self, run: Run, step: Step) -> Run:
        """Takes the step with each chunk; gives how far it came."""
        locks_a_row = 2 + len(self.job.unique)
        rows = max(1, min(_LONGEST_CHUNK, await self.session.most_locks() // locks_a_row))
        reading = Reading(self.source, rows, run.line, self.settings.api.max_body)
        with _progress() as progress:
            task = progress.add_task(self.source.path.name, total=self.source.size, rows="")
            async with aclosing(prepared(reading, self.workers, self.stopped)) as ready:
                async for raw, chunk in ready:
                    done = await step(raw, chunk)
                    run = replace(run, line=raw.last, counts=run.counts + done.counts)
                    progress.update(task, completed=raw.end, rows=f"{run.counts.rows:,} rows")
        return run

    def _report(self, reached: Run, kinds: dict[str, int]) -> Report:
        return Report(
            tenant=self.job.tenant,
            file_hash=self.source.hash,
            dry_run=self.options.dry_run,
            complete=not self.stopped.is_set(),
            line=reached.line,
            counts=reached.counts,
            kinds=kinds,
            ignored=self.source.columns.ignored if self.source.columns else (),
            seconds=time.monotonic() - self.started,
        )

    def _ending(self, report: Report) -> Ending:
        detail = {"file": report.file_hash, **asdict(report.counts), "findings": dict(report.kinds)}
        return Ending(
            delivery=uuid7(),
            actor=self.job.actor,
            code_version=self.job.code_version,
            rules_hash=self.job.rules_hash,
            body=json.dumps({"request": {"import": detail}}),
            detail=json.dumps(detail),
        )

    async def _print(self, report: Report, noted: Callable[[int, int], Awaitable[list[Finding]]]) -> None:
        if self.options.as_json:
            async for findings in _pages(noted):
                print_lines(map(asdict, findings))
            sys.stdout.write(as_json(report.as_object()) + "\n")
        else:
            show(console(), report, await noted(_SHOWN, 0))
        if not report.complete:
            where = (
                "nothing is written by a dry run" if report.dry_run else "the same command goes on from there"
            )
            _say(f"stopped behind line {report.line:,}: {where}")


async def _pages(noted: Callable[[int, int], Awaitable[list[Finding]]]) -> AsyncIterator[list[Finding]]:
    offset = 0
    while page := await noted(_PAGE, offset):
        yield page
        offset += len(page)


def _progress() -> Progress:
    """On standard error, and only for people."""
    errors = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
    )
    return Progress(*columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal)


def _say(sentence: str) -> None:
    typer.secho(sentence, err=True)
