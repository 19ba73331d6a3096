"""Keeps the person's stage through creation, about to be, then present, and which applications they begin with."""

from activities import Event, Hook, Outcome, Tools, activity
from activities._listed import keep_listed
from ledger.people import STAGE


@activity(on=[Hook.PRE_CREATE_USER, Hook.POST_CREATE_USER], bookkeeping=True)
async def creation(event: Event, tools: Tools) -> Outcome:
    if event.hook == Hook.PRE_CREATE_USER.name:
        return Outcome("creating")
    tools.db.write(STAGE, stage="present", subject=event.subject, seq=event.seq)
    keep_listed(event, tools)
    return Outcome("created", {"rehire": True} if event.rehire_of else {})
