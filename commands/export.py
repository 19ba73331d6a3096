"""`ledger export`: an auditor's pack, into a file that is there only once it is whole, or down a pipe."""

import os
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from commands.ending import stop
from commands.output import as_json
from commands.sealing.keys import kept_in, keys_of
from ledger.engine import EngineErrors, StoreErrors, connect
from ledger.note import VerifierKey
from ledger.pack.asked import PackAsked
from ledger.pack.making import Made, Making, NobodyNamed, Say, make_pack
from ledger.prove import Tampered, Unprovable
from ledger.visit import why
from runtime.reading import reader
from settings import Settings

_SECONDS = 600.0
"""Longest single statement beside the rows: control totals may count a year."""
_PIPE = "-"


async def run(
    settings: Settings, file: str, given: Mapping[str, Any], kept: Sequence[Path], *, as_object: bool
) -> None:
    """Makes it and tells of it. Raises typer.Exit: 1 what is stored does not give the proofs, 2 it cannot be made."""
    asked, keys = _asked(settings, given), keys_of(settings)
    notes = [_note(one, keys) for one in kept]
    engine = connect(settings.store.url, name="hookledger pack", pool_size=2, statement_timeout=_SECONDS)
    try:
        making = Making(settings.store, engine, asked, reader(), keys, notes)
        with _into(file) as (write, size), _bar(shown=not as_object) as say:
            made = await make_pack(making, write, say)
    except Tampered as wrong:
        typer.secho(str(wrong), err=True, fg="red")
        raise typer.Exit(1) from None
    except (NobodyNamed, Unprovable) as wrong:
        stop(str(wrong))
    except BrokenPipeError:
        # Whoever read has enough; Python must not say so again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stop("the pipe was closed before the pack was whole")
    except _Unwritable as wrong:
        stop(f"{file} cannot be written ({wrong})")
    except (*EngineErrors, *StoreErrors) as wrong:
        stop(f"the store {why(wrong)}")
    finally:
        await engine.dispose()
    _tell(file, made, size(), as_object=as_object)


class _Unwritable(Exception):
    """The file cannot be written; the text is the kind of trouble."""


def _asked(settings: Settings, given: Mapping[str, Any]) -> PackAsked:
    told = {name: value for name, value in given.items() if value is not None}
    if "tenant" not in told and len(settings.tenants) == 1:
        [told["tenant"]] = settings.tenants
    if "tenant" not in told:
        stop(f"--tenant: name one of {', '.join(settings.tenants)}")
    if told["tenant"] not in settings.tenants:
        stop(f"no tenant {told['tenant']}; configured are {', '.join(settings.tenants)}")
    try:
        return PackAsked.model_validate(told)
    except ValidationError as wrong:
        mistakes = wrong.errors(include_url=False, include_input=False, include_context=False)
        stop("; ".join(f"--{'-'.join(map(str, m['loc']))}: {m['msg']}" for m in mistakes))


def _note(file: Path, keys: list[VerifierKey]) -> str:
    kept_in(file, keys)
    return file.read_text(encoding="utf-8")


@contextmanager
def _into(file: str) -> Generator[tuple[Callable[[bytes], Awaitable[None]], Callable[[], int]]]:
    """What writes, and what tells how much. The file is for its owner alone, and never half a pack."""
    if file == _PIPE:
        if sys.stdout.isatty():
            stop("--pack -: standard output is a terminal; send it down a pipe or into a file")
        yield _writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    place = Path(file)
    part = place.with_name(f"{place.name}.part")
    if place.exists():
        stop(f"{file} is there already: name another file, or remove it")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        stop(f"{part} is there: another export writes it, or one was broken off; remove it then")
    except OSError as wrong:
        stop(f"{file} cannot be written ({type(wrong).__name__})")
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield _writer(out)
            out.flush()
            os.fsync(out.fileno())
        part.rename(place)
    finally:
        part.unlink(missing_ok=True)


def _writer(out: IO[bytes]) -> tuple[Callable[[bytes], Awaitable[None]], Callable[[], int]]:
    size = 0

    async def write(data: bytes) -> None:
        nonlocal size
        size += len(data)
        try:
            out.write(data)
        except BrokenPipeError:
            raise
        except OSError as wrong:
            raise _Unwritable(type(wrong).__name__ if wrong.strerror is None else wrong.strerror) from None

    return write, lambda: size


@contextmanager
def _bar(*, shown: bool) -> Generator[Say]:
    columns = TextColumn("Packing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not (shown and err.is_terminal)) as progress:
        task = progress.add_task("rows", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell(file: str, made: Made, size: int, *, as_object: bool) -> None:
    if as_object:
        root = made.checkpoint.root.hex()
        told = asdict(made) | {"checkpoint": asdict(made.checkpoint) | {"root": root}, "bytes": size}
        print(as_json(told), file=sys.stderr if file == _PIPE else sys.stdout)
        return
    out = Console(stderr=file == _PIPE, highlight=False, emoji=False)
    rows = f"{made.rows:,} row{'' if made.rows == 1 else 's'}"
    out.print(f"{rows} under the checkpoint of {made.checkpoint.size:,} entries, {size / 1e6:,.1f} MB")
    if made.bodies or made.gone:
        out.print(f"{made.bodies:,} bodies; {made.gone:,} were erased or are past their retention")
    if made.waiting:
        out.print(Text(f"{made.waiting:,} more wait to be sealed: they are not in it", "yellow"))
    out.print(Text(f"this reading is entry {made.receipt}", "dim"), soft_wrap=True)
    out.print(
        Text(f"SHA-256 of manifest.json, which names all other files: {made.manifest}", "dim"), soft_wrap=True
    )
    if file != _PIPE:
        out.print(
            f"to check it, with nothing but Python: unpack verify.py, and python3 verify.py {file}",
            markup=False,
        )
