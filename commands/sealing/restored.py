"""`ledger restored`: what a backup that came back lacks, and the deed that goes on from it; shown first, done with --yes."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text
from temporalio.service import RPCError

from commands.ending import stop
from commands.output import as_json, console, printable
from commands.sealing.keys import kept_in
from ledger.handover import HandOver, Lost
from ledger.note import Checkpoint, NoteError, open_checkpoint, signer_of, verifiers_of
from ledger.restored import (
    Line,
    NotRestored,
    Standing,
    Told,
    find_lost,
    must_be_alone,
    read_standing,
    restore,
)
from ledger.seal import Broken
from ledger.visit import OutOfReach, visit
from runtime.client import connect
from runtime.deeds import order, ring_open
from runtime.erasures import Lacking, ListAway, ListBroken, NoKeeper, find_lacking, replay
from runtime.holder import keeper_of
from runtime.os_user import os_user
from runtime.restored import Ahead, look_ahead
from runtime.sealer import Sealer
from settings import Settings

_STATEMENT_SECONDS = 600.0
"""The deed is one transaction, whatever the number of open works."""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Options:
    """As given. `kept`: files with checkpoints from elsewhere."""

    kept: Sequence[Path]
    reason: str | None
    actor: str | None
    yes: bool
    without_temporal: bool
    as_object: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look at everything has shown. `line` is None where nothing is sealed; `ahead` without Temporal."""

    line: Line | None
    standing: Standing
    lost: Lost | None
    ahead: Ahead | None
    lacking: Sequence[int]
    """Lines of the list of erasures that the store does not have."""


def run(settings: Settings, options: Options) -> None:
    """Shows, and with `yes` does. Raises typer.Exit: 2 it cannot be done."""
    if options.yes and not (options.reason or "").strip():
        stop("--reason is missing: an auditor will read it")
    asyncio.run(_run(settings, options))


async def _run(settings: Settings, options: Options) -> None:
    line = await _line(settings, options)
    try:
        found = await _look(settings, line, options)
        if not options.yes:
            _show(options, found, None)
            return
        must_be_alone(found.standing)
        # First of all, before anything is signed, taken up or served: whoever was erased since the backup is erased again.
        done = await replay(
            settings, _who(options), f"replayed after a restore: {(options.reason or '').strip()}"
        )
        found = replace(found, lacking=[*done.done, *done.not_there])
        handover = await _restore(settings, found, options)
        if line:
            await Sealer(settings).seal()
    except (OutOfReach, NotRestored, Lacking, ListAway, ListBroken, NoKeeper) as wrong:
        stop(f"nothing was done: {wrong}")
    except Broken as wrong:
        stop(f"nothing was done: {wrong}; ./hookledger ledger verify says what does not fit")
    _show(options, found, handover)
    late = None if options.without_temporal else await ring_open(settings)
    if late and not options.as_object:
        console().print(late)


async def _line(settings: Settings, options: Options) -> Line | None:
    """Who signs, and what others have kept."""
    seal = settings.ledger.seal
    signer, keys = signer_of(seal), verifiers_of(seal)
    if signer is None:
        if seal is not None:
            stop("this process is not given the key that signs checkpoints: run it where the worker runs")
        return None
    kept = [kept_in(file, keys) for file in options.kept]
    keeper = keeper_of(settings.ledger.holder)
    try:
        note = await keeper.newest() if keeper else None
        held: list[Checkpoint] = [open_checkpoint(note, keys)] if note else []
    except (OSError, httpx.HTTPError, NoteError, UnicodeDecodeError) as wrong:
        if not kept:
            words = f"the holder's checkpoint cannot be had ({type(wrong).__name__})"
            stop(f"{words}: it tells what was lost. Bring it back, or give --checkpoint FILE")
        held = []
    return Line(signer, keys, [*kept, *held], secrets.token_hex(4))


async def _look(settings: Settings, line: Line | None, options: Options) -> _Found:
    async with visit(settings.store, _STATEMENT_SECONDS) as connection:
        standing = await read_standing(connection)
        lost = await find_lost(connection, line) if line else None
        ahead = None
        if not options.without_temporal:
            queue = settings.temporal.task_queue
            try:
                client = await connect(lazy=False)
                ahead = await look_ahead(client, connection, queue, standing.newest)
            except (RPCError, RuntimeError, OSError) as wrong:
                words = (
                    f"Temporal is out of reach ({type(wrong).__name__}): it tells what ran after the backup"
                )
                raise NotRestored(
                    f"{words}. Bring it back, or give --without-temporal if it is lost too"
                ) from None
    return _Found(line, standing, lost, ahead, await find_lacking(settings))


def _who(options: Options) -> str:
    return options.actor or os_user()


async def _restore(settings: Settings, found: _Found, options: Options) -> HandOver | None:
    who = _who(options)
    reason = (options.reason or "").strip()
    told = Told(
        lambda tenant: order("restored", who, reason, tenant=tenant),
        settings.tenants,
        found.ahead.by_tenant() if found.ahead else None,
    )
    async with visit(settings.store, _STATEMENT_SECONDS) as connection:
        return await restore(connection, told, found.line)


def _show(options: Options, found: _Found, handover: HandOver | None) -> None:
    if options.as_object:
        print(as_json(_object(options, found, handover)))
        return
    out = console()
    _show_line(out, found, handover)
    if found.lacking:
        lines = "1 erasure is" if len(found.lacking) == 1 else f"{len(found.lacking):,} erasures are"
        then = "done again" if options.yes else "to be done again"
        out.print(f"{lines} on the list outside the store and not in it: {then}")
    _show_work(out, found.standing, done=options.yes)
    if found.ahead:
        _show_ahead(out, found.ahead)
    else:
        out.print("Temporal was not asked: what ran after the backup may run again")
    if options.yes:
        out.print(
            "[green]done[/]; now: start the processes, ./hookledger reconcile, and look through ./hookledger key list: keys "
            "that were revoked after the backup are good again"
        )
        return
    if found.standing.serving:
        out.print(f"[yellow]{', '.join(found.standing.serving)} still uses the store: stop it first")
    out.print('nothing was done yet: --yes --reason "…" does it')


def _show_line(out: Console, found: _Found, handover: HandOver | None) -> None:
    head = found.standing.head
    newest = f"{found.standing.newest:%Y-%m-%d %H:%M:%S} UTC" if found.standing.newest else "none"
    size = f"{head.checkpoint.size:,} sealed" if head else "nothing sealed"
    out.print(f"the store's newest entry: {newest}; {size}", markup=False)
    if found.lost:
        count = found.lost.head.size - found.lost.begin
        out.print(f"[red]lost[/]: {found.lost} ({count:,} sealed entries), by a checkpoint kept elsewhere")
    elif found.line:
        words = (
            "no checkpoint kept elsewhere is newer"
            if found.line.kept
            else "no checkpoint kept elsewhere was given"
        )
        out.print(f"{words}: what may be lost was not sealed, or nobody kept its checkpoint")
    if handover:
        out.print(f"new origin: {handover.checkpoint.origin}", markup=False)
    elif not found.line:
        out.print("nothing is sealed here: no new origin, and nothing shows what was lost")


def _show_work(out: Console, standing: Standing, *, done: bool) -> None:
    for tenant, counts in standing.tenants.items():
        words = ("released", "freed", "is taken up") if done else ("to release", "to free", "to take up")
        claims, holds, open_ = words
        out.print(
            f"{tenant}: claims {claims} {counts.claims:,}, held values {holds} {counts.holds:,}, ",
            end="",
            markup=False,
        )
        out.print(f"open work {open_} {counts.open:,}", markup=False)


def _show_ahead(out: Console, ahead: Ahead) -> None:
    more = "; there are more, which were not" if ahead.more else ""
    out.print(f"Temporal: {ahead.read:,} runs that ended after that, or go on, were looked at{more}")
    if ahead.lost:
        count = sum(lost.at_least for lost in ahead.lost)
        out.print(f"[red]{count:,} hooks answered after the backup[/] are lost to the store, at least:")
        for lost in ahead.lost[:_SHOWN]:
            who = "" if lost.known else " (a person whom the store does not know)"
            receipts = f": {', '.join(lost.deliveries[:3])}" if lost.deliveries else ""
            out.print(
                Text(f"    {lost.at_least} of {printable(lost.workflow_id)}{who}{receipts}"), soft_wrap=True
            )
        _and_more(out, len(ahead.lost))
    if ahead.again:
        pieces = "1 piece" if len(ahead.again) == 1 else f"{len(ahead.again):,} pieces"
        out.print(f"[yellow]{pieces} of work ran, and will run again[/] with the same idempotency key:")
        for again in ahead.again[:_SHOWN]:
            state = "ended well" if again.done else "may have had its effect"
            out.print(Text(f"    {again.activity} {state}: key {again.key}"), soft_wrap=True)
        _and_more(out, len(ahead.again))


def _and_more(out: Console, count: int) -> None:
    if count > _SHOWN:
        out.print(f"[dim]    and {count - _SHOWN:,} more; --json has all")


def _object(options: Options, found: _Found, handover: HandOver | None) -> dict[str, Any]:
    standing, ahead = found.standing, found.ahead
    lost = found.lost and {
        "begin": found.lost.begin,
        "end": found.lost.head.size,
        "origin": found.lost.head.origin,
    }
    return {
        "done": options.yes,
        "erasures": list(found.lacking),
        "newest": standing.newest,
        "size": standing.head.checkpoint.size if standing.head else 0,
        "serving": list(standing.serving),
        "lost": lost,
        "origin": handover and handover.checkpoint.origin,
        "tenants": {tenant: asdict(counts) for tenant, counts in standing.tenants.items()},
        "runs": ahead and ahead.read,
        "runs_unread": ahead and ahead.more,
        "lost_hooks": ahead and [asdict(x) for x in ahead.lost],
        "run_again": ahead and [asdict(x) | {"key": x.key} for x in ahead.again],
    }
