"""Whom a command about erasure means: one person, by any name that the ledger has of them, in one tenant."""

from commands.ending import stop
from ledger.engine import Connection
from ledger.named import Named, ever_named, find_people
from rules.normal import login
from settings import Settings


async def the_one(connection: Connection, settings: Settings, user: str, tenant: str | None) -> Named:
    """By a name that is theirs now, else by one that they ever had; ends the command if that is not one person."""
    names = {user, login(user)}
    people = await find_people(connection, names, tenant)
    if not people:
        tenants = [tenant] if tenant else list(settings.tenants)
        people = [Named(s, name) for name in tenants for s in await ever_named(connection, names, name)]
    if not people:
        stop(f"nobody is known as {user}: give a login, the platform's id or a pseudonym of the ledger")
    if len(people) > 1:
        listed = ", ".join(f"{p.subject} of {p.tenant}" for p in people)
        stop(f"{user} names several people: choose with --tenant, or by pseudonym: {listed}")
    return people[0]
