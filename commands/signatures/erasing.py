"""The commands of the ledger that erase: erase, certificate, hold."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

import typer

from commands.ending import stop
from commands.signatures.options import Actor, AsJson, Tenant, known_tenant, load

Someone = Annotated[str | None, typer.Argument(help="Login, platform id, or pseudonym from the ledger.")]


def add_erasing(ledger: typer.Typer) -> None:
    """Registers them."""
    ledger.command()(erase)
    ledger.command()(certificate)
    ledger.command()(hold)


def erase(
    user: Someone = None,
    reason: Annotated[
        str,
        typer.Option(
            help="Why; kept as a deed's body for auditors. It stays, so it must not name the person."
        ),
    ] = "",
    code: Annotated[
        Literal["request", "withdrawn", "purpose-ended", "unlawful", "law", "error"],
        typer.Option(help="The same in one word; it stands in the ledger and on the certificate."),
    ] = "request",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it. Without it, only what would go is shown.")
    ] = False,
    when_allowed: Annotated[
        bool, typer.Option("--when-allowed", help="Let it wait for the legal floor, a hold, or open work.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back one that waits.")] = False,
    skip_work: Annotated[
        bool, typer.Option("--skip-work", help="End unsettled work as erased, also what is under way.")
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Though they are still at the platform, and would come back as somebody new."
        ),
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Nobody new: do again what is on the list outside the store.")
    ] = False,
    tenant: Tenant = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Erases a person: bodies, names, values, secrets go; pseudonymous entries stay, and a certificate is signed.

    Exit codes: 0 done or shown, 1 something is in the way, 2 nothing could be done.
    """
    from commands.erasing.erase import Options, again, run

    settings = load()
    options = Options(
        reason,
        code,
        actor,
        known_tenant(settings, tenant),
        yes,
        when_allowed,
        withdraw,
        skip_work,
        anyway,
        as_json,
    )
    if sum((yes, when_allowed, withdraw)) > 1:
        stop("--yes, --when-allowed and --withdraw: give one of them")
    if replay is (user is not None):
        stop("give a person, or --replay: one of them")
    asyncio.run(again(settings, options) if user is None else run(settings, user, options))


def certificate(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="As ledger erase printed it; also in ledger deeds.")
    ],
    name: Annotated[str | None, typer.Option(help="A login or platform id: is it of this person?")] = None,
    code: Annotated[
        str | None, typer.Option(help="With --name: the code that was shown at the erasure.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The signed note, byte for byte (c2sp.org/signed-note).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows the certificate of an erasure: what is gone, what remains and why, which copies end when.

    Exit codes: 0 shown, 1 it is forged or not of that name, 2 there is none.
    """
    from commands.erasing.certificate import run

    run(load(), id_, name, code, raw=raw, as_object=as_json)


def hold(
    user: Someone = None,
    reason: Annotated[str, typer.Option(help="Which matter; kept as the deed's body for auditors.")] = "",
    release: Annotated[bool, typer.Option("--release", help="Release a hold instead.")] = False,
    id_: Annotated[UUID | None, typer.Option("--id", help="Which one, if several stand.")] = None,
    tenant: Tenant = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Places a legal hold: nothing of this person is erased until it is released. Without a person: lists them."""
    from commands.erasing.hold import hold as place
    from commands.erasing.hold import let_go, listing

    settings = load()
    seen = known_tenant(settings, tenant)
    if user is None:
        asyncio.run(listing(settings, seen, lines=as_json))
    elif release:
        asyncio.run(let_go(settings, user, reason, actor, seen, id_))
    else:
        asyncio.run(place(settings, user, reason, actor, seen, as_object=as_json))
