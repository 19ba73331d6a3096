"""Fails with the whole person in the text of its error, and says it to its log as well."""

import logging

import httpx

from activities import Event, Hook, Refused, Tools, activity, seconds

log = logging.getLogger(__name__)


@activity(on=[Hook.POST_CREATE_USER, Hook.POST_UPDATE_USER], give_up=seconds(3), first_wait=seconds(0.2))
async def leaky(event: Event, tools: Tools) -> None:
    raise RuntimeError(f"cannot do {event.user} for {event.request}")


@activity(on=Hook.CHANGE_PASSWORD, secret=True, give_up=seconds(3), first_wait=seconds(0.2))
async def blurts(event: Event, tools: Tools) -> None:
    raise ValueError(f"the new password {event.secret} of {event.login} is too short")


@activity(on=Hook.CHANGE_PASSWORD, secret=True, give_up=seconds(3), first_wait=seconds(0.2))
async def blurts_in_an_address(event: Event, tools: Tools) -> None:
    """As an adapter whose directory takes the password as a parameter."""
    asked = httpx.Request("POST", "https://directory.example/set", params={"password": event.secret})
    httpx.Response(404, request=asked).raise_for_status()


@activity(on=Hook.CHANGE_PASSWORD, secret=True, give_up=seconds(3), first_wait=seconds(0.2))
async def blurts_as_a_key(event: Event, tools: Tools) -> None:
    """As a look-up in which the password is taken for a name."""
    known: dict[str | None, str] = {}
    known.pop(event.secret)


@activity(on=Hook.CHANGE_PASSWORD, secret=True)
async def refuses(event: Event, tools: Tools) -> None:
    raise Refused(f"{event.secret} is known to everybody")


@activity(on=Hook.CHANGE_PASSWORD, secret=True)
async def learns(event: Event, tools: Tools) -> None:
    """Shows that the secret reaches who declared that it needs it."""
    if not event.secret:
        raise Refused("no secret came")


@activity(on=Hook.POST_PROVISION, give_up=seconds(3), first_wait=seconds(0.2))
async def bad_sql(event: Event, tools: Tools) -> None:
    tools.db.write("INSERT INTO nowhere VALUES (:who)", who=event.user.get("email"))
