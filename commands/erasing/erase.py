"""`ledger erase`: shows what would go, erases, lets it wait until it is allowed, and does again what is on the list."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import typer
from rich.table import Table

from commands.ending import stop
from commands.erasing.person import the_one
from commands.output import as_json, console
from commands.requested import say_asked
from ledger.erasable import Blocked, Blocker
from ledger.operate import NoSuchWork
from ledger.visit import visit
from runtime import four_eyes
from runtime.erasing import (
    NO_LIST,
    PLANNABLE,
    Impossible,
    Planned,
    Rehearsed,
    Wish,
    erase_person,
    plan_person,
    rehearse,
    withdraw_person,
)
from runtime.erasing import Done as Erased
from runtime.erasures import Replayed, replay
from runtime.os_user import os_user
from settings import Settings

BLOCKED = 1
"""Exit code: something is in the way."""


@dataclass(frozen=True, slots=True)
class Options:
    """As given."""

    reason: str
    code: str
    actor: str | None
    tenant: str | None
    yes: bool
    when_allowed: bool
    withdraw: bool
    skip_work: bool
    anyway: bool
    as_object: bool

    @property
    def who(self) -> str:
        """Who does this."""
        return self.actor or os_user()


async def run(settings: Settings, user: str, options: Options) -> None:
    """One person. Raises typer.Exit: 1 something is in the way, 2 nothing could be done."""
    if not options.reason.strip():
        stop("--reason is empty: an auditor will read it")
    try:
        async with visit(settings.store) as connection:
            person = await the_one(connection, settings, user, options.tenant)
        wish = Wish(
            person.tenant, person.subject, options.who, options.code, options.reason.strip(),
            options.skip_work, options.anyway,
        )  # fmt: skip
        if options.withdraw:
            await withdraw_person(settings, wish)
            _say(
                options,
                {"withdrawn": True, "person": str(person.subject)},
                "the erasure that waited is withdrawn",
            )
        elif options.when_allowed and four_eyes.wants_another(settings, wish.tenant, four_eyes.ERASE):
            stop(
                f"{wish.tenant} wants another person for an erasure: ask for it with --yes once nothing is in the way"
            )
        elif options.when_allowed:
            _planned(options, await plan_person(settings, wish))
        elif options.yes and four_eyes.wants_another(settings, wish.tenant, four_eyes.ERASE):
            await _ask(settings, options, wish)
        elif options.yes:
            erased(await erase_person(settings, wish), as_object=options.as_object)
        else:
            _rehearsed(settings, options, wish, await rehearse(settings, wish))
    except Blocked as wrong:
        _blocked(options, wrong.blockers)
    except (*Impossible, NoSuchWork) as wrong:
        stop(f"nothing was done: {wrong}")


async def again(settings: Settings, options: Options) -> None:
    """What is on the list and not in the store's."""
    if settings.ledger.erasures is None:
        stop("there is nothing to replay from: no [ledger.erasures] is configured")
    try:
        done = await replay(settings, options.who, options.reason.strip() or "replayed from the list")
    except Impossible as wrong:
        stop(f"the replay did not end: {wrong}")
    _say(options, asdict(done), _replayed(done))


def _replayed(done: Replayed) -> str:
    if not done.done and not done.not_there:
        return "the store has every erasure that is on the list"
    count = len(done.done) + len(done.not_there)
    return f"{count} {'erasure' if count == 1 else 'erasures'} of the list done again" + (
        f"; of {len(done.not_there)} the person was not there" if done.not_there else ""
    )


def _rehearsed(settings: Settings, options: Options, wish: Wish, found: Rehearsed) -> None:
    standing = found.standing
    if options.as_object:
        print(as_json({"person": wish.subject, "tenant": wish.tenant, "would_remove": _counts(found.removed),
                       "in_the_way": [asdict(b) for b in standing.blockers], "linked": standing.linked,
                       "open_work": standing.open_work, "last_told": standing.last_told}))  # fmt: skip
        raise typer.Exit(BLOCKED if standing.blockers else 0)
    out = console()
    out.print(f"[bold]{wish.subject}[/] of {wish.tenant}: what would go")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for row in found.removed:
        table.add_row(str(row.count), row.what, style="" if row.count else "dim")
    out.print(table)
    if standing.open_work and wish.skip_work:
        out.print(f"[yellow]{standing.open_work} pieces of unsettled work end as erased")
    if standing.linked:
        listed = ", ".join(map(str, standing.linked))
        out.print(
            f"[yellow]perhaps the same person[/] before or after: {listed}; each is erased by its own pseudonym"
        )
    if found.elsewhere.lookups:
        out.print(
            f"[yellow]{found.elsewhere.lookups} rows of tables for lookup() have a name of theirs[/] and stay"
        )
    if settings.ledger.erasures is None:
        out.print(f"[yellow]{NO_LIST}", markup=True)
    _say_blockers(standing.blockers)
    if not standing.blockers:
        out.print("Nothing was erased yet: [bold]--yes[/] does it, and nothing brings it back.")
    raise typer.Exit(BLOCKED if standing.blockers else 0)


async def _ask(settings: Settings, options: Options, wish: Wish) -> None:
    """Asks for it, if nothing is in the way now. Raises Blocked."""
    found = await rehearse(settings, wish)
    if found.standing.blockers:
        raise Blocked(found.standing.blockers)
    begin = partial(visit, settings.store)
    asked = await four_eyes.request(
        begin, four_eyes.ERASE, wish.actor, wish.reason, wish.tenant, wish.parameters(), 1
    )
    say_asked(asked, as_object=options.as_object)


def erased(done: Erased, *, as_object: bool) -> None:
    """What was done, and the code that is shown once."""
    if as_object:
        print(as_json({"certificate": done.id, "note": done.erased.certificate, "secret": done.secret,
                       "list": done.erased.place.number if done.erased.place else None,
                       "removed": _counts(done.erased.removed), "temporal": done.temporal}))  # fmt: skip
        return
    out = console()
    gone = sum(row.count for row in done.erased.removed)
    out.print(f"[green]erased[/]: {gone} rows; certificate [bold]{done.id}[/]")
    where = f"line {done.erased.place.number} of the list outside the store" if done.erased.place else NO_LIST
    out.print(where)
    out.print(done.temporal)
    _say_secret(done.secret, str(done.id))


def _planned(options: Options, planned: Planned) -> None:
    if options.as_object:
        print(as_json({"planned": planned.id, "due": planned.due, "secret": planned.secret}))
        return
    console().print(
        f"it waits, and is done by a worker from {planned.due:%Y-%m-%d %H:%M} UTC on, as soon as it may"
    )
    _say_secret(planned.secret, "ID")


def _say_secret(secret: str, id_: str) -> None:
    out = console()
    out.print(f"The code with which the person's name can be held against the certificate: [bold]{secret}")
    out.print(
        f"[dim]It is shown this once, and kept nowhere. ./hookledger ledger certificate {id_} --name LOGIN --code CODE"
    )


def _blocked(options: Options, blockers: tuple[Blocker, ...]) -> None:
    if options.as_object:
        print(as_json({"in_the_way": [asdict(b) for b in blockers]}))
    else:
        _say_blockers(blockers)
    raise typer.Exit(BLOCKED)


def _say_blockers(blockers: tuple[Blocker, ...]) -> None:
    for blocker in blockers:
        typer.secho(f"not yet: {blocker.words}", err=True, fg="red")
    if blockers and all(b.obstacle in PLANNABLE for b in blockers):
        typer.secho("--when-allowed lets it wait for that", err=True)


def _counts(removed: tuple[Any, ...]) -> dict[str, int]:
    return {row.what: row.count for row in removed}


def _say(options: Options, said: dict[str, Any], words: str) -> None:
    if options.as_object:
        print(as_json(said))
    else:
        console().print(words)
