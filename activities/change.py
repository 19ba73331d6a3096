"""Writes down which attributes an update changed, by name, and which applications its record lists."""

from activities import Event, Hook, Outcome, Tools, activity
from activities._listed import keep_listed
from ledger.people import STAGE

_LEFT = ("DELETE", "ARCHIV")


@activity(on=[Hook.PRE_UPDATE_USER, Hook.POST_UPDATE_USER], bookkeeping=True)
async def change(event: Event, tools: Tools) -> Outcome:
    detail = (
        {"changed": sorted(event.changed)} if event.before is not None else {"changed": "unknown: first seen"}
    )
    if event.hook == Hook.PRE_UPDATE_USER.name:
        return Outcome("changing", detail)
    left = str(event.user.get("status", "")).upper().startswith(_LEFT)
    tools.db.write(STAGE, stage="left" if left else "present", subject=event.subject, seq=event.seq)
    keep_listed(event, tools)
    return Outcome("left" if left else "changed", detail)
