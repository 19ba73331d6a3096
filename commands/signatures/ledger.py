"""The commands that ask the ledger, and prove it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from commands.asking import add_questions
from commands.signatures.erasing import add_erasing
from commands.signatures.options import Actor, AsJson, Tenant, load, moment

ledger = typer.Typer(
    no_args_is_help=True,
    help="Asks the ledger, and proves it: search, verify, prove, export, checkpoint, seal, restored, and what auditors ask.",
)
add_questions(ledger, load)
add_erasing(ledger)


@ledger.command()
def search(
    user: Annotated[
        str | None, typer.Option(help="Any login they ever had, platform id, or pseudonym.")
    ] = None,
    hook: Annotated[str | None, typer.Option(help="As the platform spells it: postCreateUser.")] = None,
    activity: Annotated[str | None, typer.Option(help="An activity's name.")] = None,
    application: Annotated[str | None, typer.Option(help="The platform's id of an application.")] = None,
    outcome: Annotated[str | None, typer.Option(help="received, done, failed, refused, duplicate, …")] = None,
    since: Annotated[str | None, typer.Option(help="7d, 2h, 2026-11-25, 2026-11-25T10:00 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="The same forms; the moment itself is left out.")] = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(help="At most so many entries, the newest.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """Finds entries, oldest first: who, what, for whom, when, how it went. --json: one entry a line."""
    from commands.search import question, run

    span = moment(since, "--since"), moment(until, "--until")
    asked = question(user, hook, activity, application, outcome, span, tenant, limit)
    asyncio.run(run(load(), asked, lines=as_json))


@ledger.command()
def verify(
    kept: Annotated[
        list[Path] | None,
        typer.Option(
            help="File with a checkpoint kept elsewhere, to compare with; may be repeated.", exists=True
        ),
    ] = None,
    since: Annotated[
        Path | None, typer.Option(help="File with a checkpoint: only what came after it.", exists=True)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recomputes what was sealed, and names each row that was changed, removed, inserted or moved; or another history.

    Exit codes: 0 everything fits, 1 something does not, 2 it could not be looked at.
    """
    from commands.sealing.verify import Options, run

    run(load(), Options(kept or [], since, as_json))


@ledger.command()
def prove(
    entry: Annotated[int | None, typer.Argument(help="Id of an entry, from ledger search --json.")] = None,
    since: Annotated[
        Path | None, typer.Option(help="File with a checkpoint that the ledger has grown from.", exists=True)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Proves that an entry is sealed (c2sp.org/tlog-proof), or that the ledger has only grown since a checkpoint.

    Exit codes: 0 proved, 1 what is stored does not give the proof, 2 there is none.
    """
    from commands.sealing.prove import run

    run(load(), entry, since, as_object=as_json)


@ledger.command()
def export(
    pack: Annotated[
        str, typer.Option(metavar="FILE", help="The archive to write; - is standard output, for a pipe.")
    ],
    tenant: Annotated[
        str | None,
        typer.Option(help="The tenant, by its name in hookledger.toml. Needed if there are several."),
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Only of this person: any login they ever had, platform id, pseudonym.")
    ] = None,
    application: Annotated[
        str | None, typer.Option(help="Only of this application, by the platform's id of it.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="7d, 2h, 2026-11-25, 2026-11-25T10:00 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="The same forms; the moment itself is left out.")] = None,
    bodies: Annotated[
        bool,
        typer.Option("--bodies", help="With what the platform sent, without secrets: personal data in full."),
    ] = False,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="File with a checkpoint that the auditor keeps: the pack can then be compared with it. May be repeated.",
            exists=True,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Writes an auditor's pack: rows, proofs, checkpoints, totals and a verifier that needs nothing but Python.

    Exit codes: 0 written, 1 what is stored does not give the proofs, 2 there is no such pack.
    """
    from commands.export import run

    asked = {"tenant": tenant, "person": person, "application": application, "bodies": bodies}
    span = {"since": moment(since, "--since"), "until": moment(until, "--until")}
    asyncio.run(run(load(), pack, asked | span, checkpoint or [], as_object=as_json))


@ledger.command()
def checkpoint(
    keys: Annotated[bool, typer.Option("--keys", help="The keys that verify checkpoints, instead.")] = False,
) -> None:
    """Prints the newest signed checkpoint: keep it where whoever runs this ledger cannot change it."""
    from commands.sealing.checkpoint import show_keys, show_newest

    (show_keys if keys else show_newest)(load())


@ledger.command()
def seal(as_json: AsJson = False) -> None:
    """Seals what waits now, instead of within a minute. Exit codes: 0 done, 1 nothing can be sealed."""
    from commands.sealing.checkpoint import seal_now

    seal_now(load(), as_object=as_json)


@ledger.command()
def retention(
    now: Annotated[
        bool, typer.Option("--now", help="Do a round now: make months, drop what is over age.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: what a round would drop.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows how long each class is kept, which months are there, what goes next, and every drop so far.

    Exit codes: 0 done, 1 something was put off, 2 it could not be done.
    """
    from commands.retention import do_now, show

    if now or dry_run:
        do_now(load(), rehearse=dry_run, as_object=as_json)
    else:
        show(load(), as_object=as_json)


@ledger.command()
def restored(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="File with a checkpoint that somebody kept; may be repeated. The holder's is asked for anyway.",
            exists=True,
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why; kept in the ledger for auditors. Needed with --yes.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only shown.")] = False,
    without_temporal: Annotated[
        bool,
        typer.Option(
            "--without-temporal", help="Temporal is lost too: do not ask it what ran after the backup."
        ),
    ] = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Goes on from a store that came back from a backup: names what was lost, begins a new origin, takes work up again.

    Run it before anything serves; docs/restore.md has the steps. Exit codes: 0 done, or shown; 2 it cannot be done.
    """
    from commands.sealing.restored import Options, run

    run(load(), Options(checkpoint or [], reason, actor, yes, without_temporal, as_json))
