"""Bookkeeping that is poisoned by what a delivery says, and its neighbour."""

from activities import Event, Hook, Outcome, Refused, Tools, activity, seconds

SAID = "private.person@example.com does not fit"
cured = False
"""Whether the mistake in `ink` has been found and mended."""


@activity(on=Hook.POST_PROVISION, bookkeeping=True, first_wait=seconds(0.2))
async def ink(event: Event, tools: Tools) -> Outcome:
    """Writes, unless the delivery is of the application `poison`; is refused by that of `refusal`."""
    if event.application == "poison" and not cured:
        raise RuntimeError(SAID)
    if event.application == "refusal":
        raise Refused(SAID)
    _effect(event, tools, "ink")
    return Outcome("written")


@activity(on=Hook.POST_PROVISION, bookkeeping=True)
async def paper(event: Event, tools: Tools) -> Outcome:
    """Writes beside `ink`."""
    _effect(event, tools, "paper")
    return Outcome("written", {"setting": str(tools.settings.get("setting", ""))})


@activity(on=Hook.POST_PROVISION, bookkeeping=True, first_wait=seconds(0.2), give_up=seconds(1))
async def torn(event: Event, tools: Tools) -> Outcome:
    """Fails in the store, always, and gives up soon."""
    tools.db.write("INSERT INTO nowhere VALUES (:said)", said=SAID)
    return Outcome("written")


@activity(on=Hook.POST_PROVISION, bookkeeping=True, cancel_on=[Hook.POST_UPDATE_USER])
async def moot(event: Event, tools: Tools) -> Outcome:
    """Is of no use once the person was updated."""
    return Outcome("written")


def _effect(event: Event, tools: Tools, name: str) -> None:
    tools.db.write(
        "INSERT INTO refusals (tenant, slot, at, hook, status, reason, words, receipt) "
        "VALUES (:tenant, (SELECT count(*) FROM refusals WHERE tenant = :tenant), now(), :hook, 0, 'effect', '', "
        "CAST(CAST(:delivery AS text) AS uuid))",
        tenant=event.subject,
        hook=name,
        delivery=event.delivery,
    )
